// What a Pulumi program talks to, as far as a preview needs it: every registration is answered with its own inputs.
// With it Pulumi's own runner starts a program as the CLI would, without CLI, plugins or state.
import { readFileSync } from "node:fs";
import path from "node:path";
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import {
  GetRootResourceResponse,
  type LogRequest,
  LogSeverity,
  SetRootResourceResponse,
} from "@pulumi/pulumi/proto/engine_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import {
  type RegisterResourceRequest,
  RegisterResourceResponse,
  type SupportsFeatureRequest,
  SupportsFeatureResponse,
} from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { parse } from "yaml";

const PROJECT = "prometheus-backup";
const STACK = "test";

export interface StandInEngine {
  address: string;
  /** Type and name of every resource that was registered, in the order in which they came. */
  registered: string[];
  /** What the program told its user. */
  messages: string[];
  stop(): void;
}

/** Answers calls of one kind with what `make` returns. */
function answer<Request, Response>(make: (request: Request) => Response) {
  return ({ request }: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    callback(null, make(request));
  };
}

export async function startEngine(): Promise<StandInEngine> {
  const registered: string[] = [];
  const messages: string[] = [];
  const monitor: UntypedServiceImplementation = {
    supportsFeature: answer((request: SupportsFeatureRequest) => {
      const response = new SupportsFeatureResponse();
      response.setHassupport(request.getId() === "resourceHooks");
      return response;
    }),
    registerResourceHook: answer(() => new Empty()),
    registerResource: answer((request: RegisterResourceRequest) => {
      registered.push(`${request.getType()} ${request.getName()}`);
      const response = new RegisterResourceResponse();
      response.setUrn(`urn:pulumi:${STACK}::${PROJECT}::${request.getType()}::${request.getName()}`);
      response.setObject(request.getObject());
      return response;
    }),
    registerResourceOutputs: answer(() => new Empty()),
    signalAndWaitForShutdown: answer(() => new Empty()),
  };
  const engine: UntypedServiceImplementation = {
    log: answer((request: LogRequest) => {
      if (request.getSeverity() !== LogSeverity.DEBUG) {
        messages.push(request.getMessage());
      }
      return new Empty();
    }),
    getRootResource: answer(() => new GetRootResourceResponse()),
    setRootResource: answer(() => new SetRootResourceResponse()),
  };
  const server = new Server();
  server.addService(ResourceMonitorService, monitor);
  server.addService(EngineService, engine);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      return error === null ? resolve(bound) : reject(error);
    });
  });
  return { address: `127.0.0.1:${port}`, registered, messages, stop: () => server.forceShutdown() };
}

/** How to start a program. */
export interface Start {
  words: string[];
  environment: Record<string, string>;
}

interface Project {
  main: string;
  runtime: { name: string; options?: { typescript?: boolean; tsconfig?: string; nodeargs?: string } };
}

/**
 * What `pulumi preview` starts for the project in a directory: Pulumi's runner, with what Pulumi.yaml says of the
 * runtime, in words and variables as the language host of the CLI writes them. `config` is the stack's, by
 * `namespace:key`.
 */
export function previewOf(directory: string, engine: StandInEngine, config: Record<string, unknown> = {}): Start {
  const { main, runtime } = parse(readFileSync(path.join(directory, "Pulumi.yaml"), "utf8")) as Project;
  const { typescript = true, tsconfig, nodeargs, ...others } = runtime.options ?? {};
  if (runtime.name !== "nodejs" || nodeargs !== undefined || Object.keys(others).length > 0) {
    throw new Error("Pulumi.yaml asks for a runtime, or for options of it, that this start does not know");
  }
  const values = Object.entries(config).map(([key, value]) => [
    key.replace(":", ":config:"),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return {
    words: [
      process.execPath,
      require.resolve("@pulumi/pulumi/cmd/run", { paths: [directory] }),
      "--monitor",
      engine.address,
      "--engine",
      engine.address,
      "--project",
      PROJECT,
      "--root-directory",
      directory,
      "--stack",
      STACK,
      "--pwd",
      directory,
      "--dry-run",
      "--parallel",
      "16",
      main,
    ],
    environment: {
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(values)),
      PULUMI_CONFIG_SECRET_KEYS: "[]",
      ...(typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
      ...(tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
    },
  };
}
