import eslint from "@eslint/js";
import tseslint from "typescript-eslint";
import { rooms } from "./test/lint/componentRooms.mjs";

export default tseslint.config(
  { ignores: ["bin/**", "node_modules/**", ".work/**", "out/**"] },
  eslint.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      eqeqeq: "error",
      // Prettier breaks what it can; a text is not cut.
      "max-len": [
        "error",
        { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreUrls: true },
      ],
      "no-console": "off",
    },
  },
  ...rooms,
  {
    files: ["test/**/*.test.ts", "test/**/*.slow.ts"],
    rules: {
      // On a busy machine everything takes several times as long. What hangs is ended by the limit of its project.
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "ExpressionStatement > CallExpression:not([callee.name=/^set/]) > ArrowFunctionExpression.arguments + .arguments",
          message: "A test or hook has no limit of its own; vitest.config.ts has those of the projects.",
        },
      ],
    },
  },
  { files: ["**/*.mjs"], ...tseslint.configs.disableTypeChecked },
);
