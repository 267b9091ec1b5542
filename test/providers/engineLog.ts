// Messages of a provider to the engine, which shows them beside the resource they belong to.
import * as pulumi from "@pulumi/pulumi";

/** Must be called once, with the arguments that the engine starts the plugin with. The last one is its address. */
export function connectLog(args: string[]): void {
  const address = args.filter(argument => !argument.startsWith("-")).at(-1);
  if (address !== undefined) {
    pulumi.runtime.resetOptions("", "", 8, address, "", false, "");
  }
}

export async function info(urn: string, text: string): Promise<void> {
  await pulumi.log.info(text, new pulumi.DependencyResource(urn));
}

export async function warn(urn: string, text: string): Promise<void> {
  await pulumi.log.warn(text, new pulumi.DependencyResource(urn));
}
