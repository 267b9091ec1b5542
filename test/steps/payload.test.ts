import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderStep } from "../../components/host/payload";
import { callStep } from "./bash";

/** What follows the unpacking lines of a payload: the part that the program reads. */
function body(payload: string): string {
  const start = payload.indexOf('exec /bin/bash "$program" install\n');
  return payload.slice(payload.indexOf("\n", start) + 1);
}

function receive(text: string, script: string): ReturnType<typeof callStep> {
  return callStep("backup-job", `receive_payload <input\n${script}`, { input: text });
}

describe("a payload", () => {
  test("brings settings and files byte for byte, whatever is in them", () => {
    const line = fc.string({ unit: "binary", maxLength: 20 }).filter(text => !text.includes("\0"));
    const content = fc.array(line, { maxLength: 4 }).map(lines => lines.map(text => `${text}\n`).join(""));
    fc.assert(
      fc.property(content, text => {
        const file = { content: text, mode: "0644", owner: "root:root" };
        const payload = renderStep(
          "backup-job",
          { settings: { UNIT: "x" }, files: { "/a": file, "/b": file } },
          "host:22",
          "x",
        );
        const { stdout } = receive(body(payload), "cat files/0; printf '\\0'; cat files/1");
        expect(stdout).toBe(`${text}\0${text}`);
      }),
      {
        numRuns: 25,
        examples: [
          ["end\n"],
          ["| \n\n$(id)\n`id`\n'\"\\\n"],
          ["setting UNIT y\n"],
          [""],
          ["\r\n"],
          [" leading and trailing \n"],
        ],
      },
    );
  });

  test("keeps a setting as it is, blanks and all", () => {
    const { stdout } = receive(
      "setting UNIT  $(id) 'x' \nsetting PACKAGES\nend\n",
      `printf '<%s>' "\${SETTINGS[UNIT]}" "\${SETTINGS[PACKAGES]}"`,
    );
    expect(stdout).toBe("< $(id) 'x' ><>");
  });

  test.each([
    [
      "is cut off",
      "setting UNIT x\n",
      "the payload of step backup-job arrived incomplete; nothing was changed. Run `pulumi up` again",
    ],
    ["is empty", "", "the payload of step backup-job arrived incomplete; nothing was changed. Run `pulumi up` again"],
    [
      "sets what the step does not know",
      "setting LD_PRELOAD x\nend\n",
      "line 1 of the payload sets LD_PRELOAD, which step backup-job does not know; nothing was changed",
    ],
    [
      "has content without a file",
      "| x\nend\n",
      "line 1 of the payload is content without a file; nothing was changed",
    ],
    [
      "has a line of another kind",
      "setting UNIT x\nrm -rf /\nend\n",
      "line 2 of the payload is not understood; nothing was changed",
    ],
    [
      "climbs out of a directory",
      "file /etc/../x root:root 0644\nend\n",
      "line 1 of the payload names a file in a form that is not understood; nothing was changed",
    ],
    [
      "has a relative path",
      "file etc/x root:root 0644\nend\n",
      "line 1 of the payload names a file in a form that is not understood; nothing was changed",
    ],
    [
      "has a carried file without a checksum",
      "carried /x root:root 0644\nend\n",
      "line 1 of the payload names a file in a form that is not understood; nothing was changed",
    ],
    [
      "wants what the toolkit does not hold",
      `carried /x root:root 0644 ${"0".repeat(64)}\nend\n`,
      "the toolkit does not hold /x as it should be; nothing was changed. Run `pulumi up` again",
    ],
  ])("is refused if it %s", (_why, text, failure) => {
    expect(receive(text, "echo went on")).toEqual({ code: 2, stdout: "", failure });
  });

  test("may name a path with blanks", () => {
    const { stdout } = receive(
      "file /a b/c d prometheus:x 0644\n| 1\nend\n",
      `printf '<%s>' "\${FILE_PATHS[0]}" "\${FILE_OWNERS[0]}" "\${FILE_MODES[0]}"`,
    );
    expect(stdout).toBe("</a b/c d><prometheus:x><0644>");
  });
});
