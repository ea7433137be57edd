/** The courier that the configuration describes, with its secrets from the environment. */
import { UserError } from "../../runtime/errors";
import type { CourierConfig } from "../config";
import type { Courier } from "./courier";
import { createStdoutCourier } from "./stdout";
import { SECOND_MS } from "../../runtime/time";

export type Environment = Readonly<Record<string, string | undefined>>;

type ConfigOf<T extends CourierConfig["type"]> = Extract<CourierConfig, { type: T }>;

/**
 * Makes a topic's courier. The packages of each kind are loaded only where it is wanted.
 *
 * @param path where it is configured, for messages
 * @throws UserError if a secret is missing or malformed; it names the variable and never its value
 */
export async function createCourier(config: CourierConfig, env: Environment, path: string): Promise<Courier> {
  switch (config.type) {
    case "webhook":
      return webhook(config, env, path);
    case "sns":
      return sns(config);
    case "smtp":
      return smtp(config, env, path);
    case "stdout":
      return createStdoutCourier();
  }
}

async function webhook(config: ConfigOf<"webhook">, env: Environment, path: string): Promise<Courier> {
  const { createWebhookCourier } = await import("./webhook");
  const secrets = config.secretEnv === null ? [] : readSecrets(config.secretEnv, env, path);
  return createWebhookCourier({ url: config.url, secrets, connections: config.concurrency, ...timeoutsOf(config) });
}

async function sns(config: ConfigOf<"sns">): Promise<Courier> {
  const { createSnsCourier } = await import("./sns");
  const { topicArn, endpoint } = config;
  const region = config.region ?? topicArn.split(":")[3]!;
  return createSnsCourier({ topicArn, region, endpoint, templates: config, ...timeoutsOf(config) });
}

async function smtp(config: ConfigOf<"smtp">, env: Environment, path: string): Promise<Courier> {
  const { createSmtpCourier } = await import("./smtp");
  const { host, port, secure, requireTls, user, passwordEnv, from, to } = config;
  const password = env[passwordEnv];
  if (user !== undefined && !password) throw missing(`${path}.passwordEnv`, passwordEnv, "the password of SMTP");
  return createSmtpCourier({
    ...{ host, port, secure, requireTls, user, password, from, to },
    connections: config.concurrency,
    templates: config,
    ...timeoutsOf(config),
  });
}

/** An answer may take as long as the whole. */
function timeoutsOf({ connectSeconds, timeoutSeconds }: CourierConfig): {
  connectTimeoutMs: number;
  answerTimeoutMs: number;
} {
  return {
    connectTimeoutMs: Math.min(connectSeconds, timeoutSeconds) * SECOND_MS,
    answerTimeoutMs: timeoutSeconds * SECOND_MS,
  };
}

/** One secret or, while receivers change over, several, with spaces or commas between them. */
function readSecrets(variable: string, env: Environment, path: string): string[] {
  const secrets = (env[variable] ?? "").split(/[\s,]+/).filter((each) => each !== "");
  if (secrets.length === 0)
    throw missing(`${path}.secretEnv`, variable, "a secret such as whsec_…; null in its place sends unsigned");
  secrets.forEach((secret, at) => {
    if (!isSecret(secret)) {
      throw new UserError(
        `${variable}: its secret ${at + 1} of ${secrets.length} must be whsec_ and the base64 of 24 to 64 bytes`,
      );
    }
  });
  return secrets;
}

/** As https://www.standardwebhooks.com has them. */
function isSecret(text: string): boolean {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const bytes = Buffer.from(base64, "base64").length;
  return bytes >= 24 && bytes <= 64;
}

function missing(path: string, variable: string, what: string): UserError {
  return new UserError(`${path}: the environment has no ${variable}; set it to ${what}`);
}
