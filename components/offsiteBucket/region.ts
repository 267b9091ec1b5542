import * as pulumi from "@pulumi/pulumi";

/** The region in which AWS is asked: what the stack says, or else what the environment of the program says. */
export function regionOf(configured: string | undefined): string | undefined {
  return configured ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
}

/** The region in which this stack works, unless it is told to a provider of its own. */
export function stackRegion(): string | undefined {
  return regionOf(new pulumi.Config("aws").get("region"));
}
