import { createNodeResolver, importX } from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** The storeys of the host, from the ground up: a folder imports from storeys below its own, never beside or above. */
const STOREYS = [
  ["runtime"],
  ["terminal", "redis"],
  ["deploy", "embedded", "jobs", "fetch"],
  ["tracker", "notifier", "catalog", "metadata"],
  ["serve"],
  ["cli"],
];

/** Which folders may not import which: both directions of the house. */
const ZONES = [
  ...STOREYS.flatMap((storey, at) =>
    storey.flatMap((folder) => {
      const others = STOREYS.slice(at)
        .flat()
        .filter((other) => other !== folder);
      const message = "A folder of the host imports from the storeys below its own; docs/design.md has the map.";
      return others.map((other) => ({ target: `./host/${folder}`, from: `./host/${other}`, message }));
    }),
  ),
  {
    target: ["./host/runtime", "./host/terminal"],
    from: "./host/contract.ts",
    message: "It knows nothing of the product.",
  },
  {
    target: "./host",
    from: "./demo",
    except: ["./main.ts"],
    message: "The program loads demo/main.ts, and nothing else.",
  },
  { target: "./host", from: "./functions", message: "The host knows functions through contract.ts only." },
  { target: "./demo", from: "./functions", message: "The demo knows functions through contract.ts only." },
  { target: "./functions", from: ["./host", "./demo", "./scripts"], message: "functions/ runs inside Redis." },
];

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
    files: ["{functions,host,demo}/**/*.ts"],
    plugins: { "import-x": importX },
    settings: { "import-x/resolver-next": [createNodeResolver({ extensions: [".ts", ".d.ts"] })] },
    rules: {
      "import-x/no-cycle": "error",
      "import-x/no-restricted-paths": ["error", { basePath: import.meta.dirname, zones: ZONES }],
    },
  },
  { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
