import { StepContent } from "../host/payload";
import { apiCurlConfig, PrometheusServer, serverDefaults } from "../host/server";
import { Step, stepTimeoutSeconds } from "../host/step";
import { StepName } from "../host/stepName";
import { AdminApiArgs, adminApiDefaults, adminApiProblems, AdminApiSettings, uselessProxy } from "./settings";

/** What the step for the admin API is told. */
export interface AdminApiPlan {
  unit: string;
  url: string;
  exposure: string;
  proxyListen: string;
  loopbackListen: string;
  hasApiCredentials: boolean;
  readyTimeoutSeconds: number;
}

export function adminApiStep(plan: AdminApiPlan): StepContent {
  return {
    settings: {
      UNIT: plan.unit,
      URL: plan.url,
      EXPOSURE: plan.exposure,
      PROXY_LISTEN: plan.proxyListen,
      LOOPBACK_LISTEN: plan.exposure === "reverse-proxy" ? plan.loopbackListen : "",
      API_CURL_CONFIG: apiCurlConfig(plan.hasApiCredentials),
      READY_TIMEOUT_SECONDS: String(plan.readyTimeoutSeconds),
    },
  };
}

/** What the step for the admin API is told. */
export function adminApiPlan(
  adminApi: AdminApiSettings | undefined,
  prometheus: PrometheusServer | undefined,
): AdminApiPlan {
  return {
    unit: prometheus?.unit ?? serverDefaults.unit,
    url: prometheus?.url ?? serverDefaults.url,
    exposure: adminApi?.exposure ?? adminApiDefaults.exposure,
    proxyListen: adminApi?.proxyListen ?? adminApiDefaults.proxyListen,
    loopbackListen: adminApi?.loopbackListen ?? adminApiDefaults.loopbackListen,
    readyTimeoutSeconds: adminApi?.readyTimeoutSeconds ?? adminApiDefaults.readyTimeoutSeconds,
    hasApiCredentials: prometheus?.apiCredentials !== undefined,
  };
}

function restartText({ hostName, adminApi: settings, prometheus }: AdminApiArgs): string {
  const plan = adminApiPlan(settings, prometheus);
  const moves = plan.exposure === "reverse-proxy" ? ` or it does not listen on ${plan.loopbackListen} yet` : "";
  return `Prometheus of ${hostName} (${plan.unit}) is restarted once if its admin API is off${moves}`;
}

/** Turns on the admin API. */
export const adminApi: Step<AdminApiArgs> = {
  name: StepName.adminApi,
  problems: args => [...adminApiProblems(args.adminApi), ...uselessProxy(args.adminApi)],
  content: args => adminApiStep(adminApiPlan(args.adminApi, args.prometheus)),
  // Longer than the wait, so that there is time to put the unit back.
  timeoutSeconds: args =>
    Math.max(stepTimeoutSeconds, adminApiPlan(args.adminApi, args.prometheus).readyTimeoutSeconds + 120),
  restart: {
    settings: ["UNIT", "URL", "EXPOSURE", "PROXY_LISTEN", "LOOPBACK_LISTEN"],
    whenRemoved: true,
    says: restartText,
  },
};
