// Entry of the stand-in `pulumi-resource-command`: the engine starts it and talks gRPC to the port it prints.
import { main } from "@pulumi/pulumi/provider";
import { connectLog } from "../engineLog";
import { commandProvider } from "./provider";

const args = process.argv.slice(2);
connectLog(args);
void main(commandProvider, args);
