import tseslint from "typescript-eslint";

/** What compiles, and then fails or crawls inside Redis. */
const LUA_RULES = {
  "no-restricted-syntax": [
    "error",
    { selector: "ThrowStatement", message: "A thrown Error kills the server; use fail() of runtime/errors." },
    { selector: "ClassDeclaration", message: "Classes bring lualib in; write plain functions." },
    { selector: "TryStatement", message: "Check before writing; there is no undo to catch for." },
    { selector: "AwaitExpression", message: "A function of Redis runs to its end." },
    {
      selector: "NewExpression[callee.name=/^(Map|Set|Date|Error|RegExp)$/]",
      message: "Write with LuaMap, LuaSet and runtime/*.",
    },
  ],
  "no-restricted-imports": [
    "error",
    { patterns: [{ group: ["**/host/**", "node:*"], message: "functions/ runs inside Redis." }] },
  ],
  // $range and $multi are read as calls of unknown things by the general rules.
  "@typescript-eslint/no-unsafe-assignment": "off",
  "@typescript-eslint/no-unsafe-call": "off",
  "@typescript-eslint/no-unsafe-return": "off",
  "@typescript-eslint/no-unsafe-argument": "off",
  "@typescript-eslint/no-unsafe-member-access": "off",
  "@typescript-eslint/await-thenable": "off",
};

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".hotpath/", "coverage/", "host/contract.ts"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { project: ["./scripts/tsconfig.json"], tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": "off",
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-base-to-string": "off",
      eqeqeq: "error",
      "no-console": "off",
      "prefer-const": "error",
    },
  },
  { files: ["functions/**/*.ts"], rules: LUA_RULES },
  {
    files: ["host/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["**/functions/*/**"], message: "The host knows functions through contract.ts only." }] },
      ],
    },
  },
  { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
