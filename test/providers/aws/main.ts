// Entry of the stand-in `pulumi-resource-aws`: the engine starts it and talks gRPC to the port it prints.
import { main } from "@pulumi/pulumi/provider";
import { connectLog } from "../engineLog";
import { awsProvider } from "./provider";

const args = process.argv.slice(2);
connectLog(args);
void main(awsProvider, args);
