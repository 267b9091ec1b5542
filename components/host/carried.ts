import { renderCompletion, renderManPage } from "./command/manual";
import { HostFiles, publicFile } from "./files";
import { paths } from "./paths";
import { renderHostCommand } from "./programs";

/**
 * What travels in the toolkit, because it is the same on every host: the host command, its completion and its man page.
 */
export function carriedFiles(): HostFiles {
  return {
    [paths.hostCommand]: { content: renderHostCommand(), mode: "0755", owner: "root:root" },
    [paths.completion]: publicFile(renderCompletion()),
    [paths.manPage]: publicFile(renderManPage()),
  };
}
