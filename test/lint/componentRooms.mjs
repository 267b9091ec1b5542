import { noCircles } from "./circles.mjs";

/**
 * Who may use whom in `components/`, as configuration of ESLint. Each room uses what stands below it and nothing else:
 * stack, fleet, host, its list of steps, settings that span features, features, `host`, `fields`.
 */
const foundations = ["host", "fields"];
/** Features, and the other features that each may use. */
const features = {
  adminApi: [],
  textfileDirectory: [],
  backupJob: ["adminApi"],
  bootstrap: ["backupJob"],
  alertRules: ["backupJob", "remoteWrite"],
  victoriaMetrics: [],
  remoteWrite: [],
  offsiteBucket: [],
};
/** What composes features, lowest first; each may use those before it. */
const files = ["backupSettings", "hostSteps", "fleetSettings", "prometheusBackup", "prometheusBackupFleet"];

/** Files that make resources, ask the engine or hold its values; all others are text in, text out. */
const pulumiFiles = [
  "components/*/component.ts",
  "components/host/ssh.ts",
  "components/host/remoteStep.ts",
  "components/host/secrets.ts",
  "components/offsiteBucket/region.ts",
  "components/prometheusBackup.ts",
  "components/prometheusBackupFleet.ts",
  "components/stack/config.ts",
  "components/stack/program.ts",
];

const noPulumi = {
  regex: "^@pulumi/",
  allowTypeImports: true,
  message: "Only component.ts and what composes components uses Pulumi; everything else may import its types.",
};
const noZod = { regex: "^zod$", message: "Only fields/ and stack/ know zod. Use what fields/group.ts has." };

function rule(...patterns) {
  return { "@typescript-eslint/no-restricted-imports": ["error", { patterns: patterns.filter(each => each) }] };
}

/** Configurations for one place: the same rule with and without Pulumi, since ESLint takes the last that fits. */
function place(globs, direction, zod) {
  return [
    { files: globs, rules: rule(direction, noPulumi, zod) },
    { files: globs.flatMap(glob => pulumiFiles.map(file => [glob, file])), rules: rule(direction, zod) },
  ];
}

function room(name, allowed) {
  const message = `${name}/ may use ${allowed.length === 0 ? "no other room" : `${allowed.join(", ")} and nothing else`}.`;
  const out = allowed.length === 0 ? "" : `(?!(${allowed.join("|")})/)`;
  const zod = name === "fields" ? undefined : noZod;
  return [
    ...place([`components/${name}/*.ts`], { regex: `^\\.\\./${out}`, message }, zod),
    ...place([`components/${name}/*/*.ts`], { regex: `^\\.\\./\\.\\./${out}`, message }, zod),
  ];
}

function file(name, index) {
  const above = [...files.slice(index + 1), "index", "stack/.*"];
  const message = `${name}.ts is used by those, and may not use them.`;
  return place([`components/${name}.ts`], { regex: `^\\./(${above.join("|")})$`, message }, noZod);
}

export const rooms = [
  ...room("fields", []),
  ...room("host", ["fields"]),
  ...Object.entries(features).flatMap(([name, others]) => room(name, [...others, ...foundations])),
  ...files.flatMap(file),
  ...place(["components/stack/*.ts"], { regex: "^\\.\\./index$", message: "index.ts is for others." }, undefined),
  {
    files: ["components/**/*.ts"],
    plugins: { rooms: { rules: { "no-circles": noCircles } } },
    rules: { "rooms/no-circles": "error" },
  },
];
