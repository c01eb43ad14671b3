import tseslint from "typescript-eslint";

/** A folder under services/ may import itself and the kernel, never a sibling. */
const noBrokerCall = {
  selector: "CallExpression[callee.property.name='call'][callee.object.property.name='broker']",
  message: "Inside a service use call(ctx, ...): request id, user, deadline and span ride on ctx.",
};

export default tseslint.config(
  { ignores: ["dist/", "data/", "coverage/", "node_modules/", "services/api-gateway/public/"] },
  ...tseslint.configs.recommended,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["*.mjs"] } } },
    files: ["**/*.ts"],
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-restricted-syntax": ["error", noBrokerCall],
    },
  },
  { files: ["test/**/*.ts"], rules: { "no-restricted-syntax": "off" } },
);
