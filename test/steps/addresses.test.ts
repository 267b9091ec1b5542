import { expect, test } from "vitest";
import { callStep } from "./bash";

test.each([
  ["0100007F:2382", "127.0.0.1:9090"],
  ["00000000:2382", "0.0.0.0:9090"],
  ["050011AC:0050", "172.17.0.5:80"],
  ["00000000000000000000000000000000:2382", "[::]:9090"],
  ["00000000000000000000000001000000:2382", "[::1]:9090"],
  ["0000000000000000FFFF00000100007F:2382", "127.0.0.1:9090"],
])("the kernel's %s is %s", (hexadecimal, address) => {
  expect(callStep("admin-api", `decode_address ${hexadecimal}; printf %s "$ADDRESS"`).stdout).toBe(address);
});
