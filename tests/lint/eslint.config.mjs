// What Prettier cannot see: what is unused or shadowed, comparisons that convert, and functions too long
// or too tangled to be read in one go (STYLE 1 and 3, as for C).
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.mjs", "deploy/images/sbom", "tests/lint/sentences"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      complexity: ["error", 15],
      eqeqeq: "error",
      "max-depth": ["error", 3],
      "max-len": ["error", { code: 120 }],
      "max-lines": ["error", 500],
      "max-lines-per-function": ["error", 70],
      "max-params": ["error", 5],
      "max-statements-per-line": ["error", { max: 1 }],
      "no-shadow": "error",
      "no-var": "error",
      "one-var": ["error", "never"],
      "prefer-const": "error",
    },
  },
  { files: ["gateway/web/**"], languageOptions: { globals: globals.browser } },
  {
    files: ["deploy/**", "tests/**"],
    languageOptions: {
      globals: { ...globals.node, document: "readonly", window: "readonly", location: "readonly" },
    },
  },
];
