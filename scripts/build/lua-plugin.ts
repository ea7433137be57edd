/** What we change in TypeScriptToLua's output: flat concatenation, and no documentation inside the server. */
import ts from "typescript";
import * as tstl from "typescript-to-lua";
import * as lua from "typescript-to-lua/dist/LuaAST";
import { hotLocal } from "./hot";

/** Properties of a declaration, which is an object with a summary, that only the build reads. */
const DECLARATION_ONLY = new Set([
  ...["summary", "role", "flags", "errors"],
  ...["answer", "repeat", "paging", "excludes", "causes"],
]);

/** Properties of anything that has a doc, which only the build reads. */
const MEANING_ONLY = new Set(["unit", "flag", "schema", "words", "always"]);

/** What says that a function does not write, which is all that is asked of these in the server. */
const SAYS_READER: Record<string, (value: ts.Expression) => boolean> = {
  role: (value) => ts.isStringLiteral(value) && value.text === "reader",
  flags: (value) =>
    ts.isArrayLiteralExpression(value) &&
    value.elements.some((each) => ts.isStringLiteral(each) && each.text === "no-writes"),
};

/** The properties of a declaration by which the server knows a function that does not write; one is enough. */
function readerProof(properties: readonly ts.ObjectLiteralElementLike[]): ts.ObjectLiteralElementLike | undefined {
  return properties.find(
    (each) => ts.isPropertyAssignment(each) && (SAYS_READER[propertyName(each) ?? ""]?.(each.initializer) ?? false),
  );
}

/** `..` binds tighter than comparison and looser than arithmetic; operands below it need parentheses. */
const ABOVE_CONCAT = 9;

function concatOperands(expression: lua.Expression): lua.Expression[] {
  if (lua.isParenthesizedExpression(expression) && isConcat(expression.expression)) {
    return concatOperands(expression.expression);
  }
  return isConcat(expression)
    ? [...concatOperands(expression.left), ...concatOperands(expression.right)]
    : [expression];
}

function isConcat(expression: lua.Expression): expression is lua.BinaryExpression {
  return lua.isBinaryExpression(expression) && expression.operator === lua.SyntaxKind.ConcatOperator;
}

/** What `for … of` goes through, where that is a list: `for ____, x in ipairs(list)`, as the compiler writes it. */
function iteratedList({ names, expressions }: lua.ForInStatement): lua.Expression | undefined {
  const [call, ...others] = expressions;
  if (call === undefined || others.length > 0 || names.length !== 2 || names[0]!.text !== "____") return undefined;
  if (!lua.isCallExpression(call) || !lua.isIdentifier(call.expression) || call.expression.text !== "ipairs")
    return undefined;
  return call.params[0];
}

/** The private part of LuaPrinter that printing an operand needs. */
interface PrinterInternals {
  printExpressionInParenthesesIfNeeded(
    expression: lua.Expression,
    minPrecedenceToOmit?: number,
  ): ReturnType<tstl.LuaPrinter["printExpression"]>;
}

/**
 * Prints `((a .. b) .. c)` as `a .. b .. c`. Lua then makes one string in place of one for each pair; with key names of
 * six parts this is a third of the throughput.
 */
class LibraryPrinter extends tstl.LuaPrinter {
  /** A library is kept by every server and replica, and sent at every deploy: a third of it would be indentation. */
  protected override pushIndent(): void {}

  protected override popIndent(): void {}

  /** On one line, where the compiler begins a line for each argument. */
  protected override printExpressionList(
    expressions: lua.Expression[],
  ): ReturnType<tstl.LuaPrinter["printExpression"]>[] {
    return expressions.map((each, at) =>
      at === 0 ? this.printExpression(each) : this.createSourceNode(each, [", ", this.printExpression(each)]),
    );
  }

  /**
   * Prints a loop over a list with a counter: `ipairs` calls a function for each element. What is added to a list inside its
   * loop is not visited.
   */
  override printForInStatement(statement: lua.ForInStatement): ReturnType<tstl.LuaPrinter["printExpression"]> {
    const list = iteratedList(statement);
    if (list === undefined) return super.printForInStatement(statement);
    return this.createSourceNode(statement, [
      "do\nlocal ____list = ",
      this.printExpression(list),
      "\nfor ____at = 1, #____list do\nlocal ",
      this.printIdentifier(statement.names[1]!),
      " = ____list[____at]\n",
      this.printBlock(statement.body),
      "end\nend",
    ]);
  }

  /** `redis.call` by the local that stands for it. */
  override printTableIndexExpression(
    expression: lua.TableIndexExpression,
  ): ReturnType<tstl.LuaPrinter["printExpression"]> {
    const { table, index } = expression;
    const local = lua.isIdentifier(table) && lua.isStringLiteral(index) ? hotLocal(table.text, index.value) : undefined;
    return local === undefined ? super.printTableIndexExpression(expression) : this.createSourceNode(expression, local);
  }

  override printBinaryExpression(expression: lua.BinaryExpression): ReturnType<tstl.LuaPrinter["printExpression"]> {
    if (!isConcat(expression)) return super.printBinaryExpression(expression);
    const internals = this as unknown as PrinterInternals;
    const chunks = concatOperands(expression).flatMap((operand, index) => [
      ...(index === 0 ? [] : [" .. "]),
      internals.printExpressionInParenthesesIfNeeded(operand, ABOVE_CONCAT),
    ]);
    return this.createSourceNode(expression, chunks);
  }
}

function propertyName(property: ts.ObjectLiteralElementLike): string | undefined {
  return property.name !== undefined && ts.isIdentifier(property.name) ? property.name.text : undefined;
}

/** The properties that the server needs: no documentation, and no part of a declaration that is for the build alone. */
function forServer(properties: readonly ts.ObjectLiteralElementLike[]): ts.ObjectLiteralElementLike[] {
  const isDeclaration = properties.some((property) => propertyName(property) === "summary");
  const hasMeaning = properties.some((property) => propertyName(property) === "doc");
  const proof = isDeclaration ? readerProof(properties) : undefined;
  return properties.filter((property) => {
    const name = propertyName(property);
    if (property === proof) return true;
    if (hasMeaning && name !== undefined && MEANING_ONLY.has(name)) return false;
    return name !== "doc" && !(isDeclaration && name !== undefined && DECLARATION_ONLY.has(name));
  });
}

export const hotpathPlugin: tstl.Plugin = {
  printer: (program, emitHost, fileName, file) => new LibraryPrinter(emitHost, program, fileName).print(file),
  visitors: {
    [ts.SyntaxKind.ObjectLiteralExpression]: (node, context) => {
      const kept = forServer(node.properties);
      const trimmed =
        kept.length === node.properties.length ? node : ts.factory.updateObjectLiteralExpression(node, kept);
      return context.superTransformExpression(trimmed);
    },
  },
};
