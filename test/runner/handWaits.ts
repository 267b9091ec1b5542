// Hands what a test file waited for to the reporter, which lives in another process.
import { afterAll } from "vitest";
import { waitsSoFar, type Waits } from "../tools/waits";

declare module "vitest" {
  interface TaskMeta {
    waits?: Waits;
  }
}

// Vitest reads the first argument's text, and wants a pattern there.
// eslint-disable-next-line no-empty-pattern
afterAll(({}, file) => {
  file.meta.waits = waitsSoFar();
});
