/** The section `notifier` of the configuration: topics, and the courier of each. */
import { z } from "zod";
import type { Issue } from "../runtime/config-issues";
import { showUrl } from "../fetch/show-url";
import { NEEDS_PARTITION } from "../redis/partitions";
import { isOneAddress } from "./couriers/address";
import { checkTemplate, DEFAULT_MAX_ITEMS, DEFAULT_SUBJECT, DEFAULT_TEXT, render } from "./couriers/templates";
import { DAY_SECONDS, HOUR_SECONDS } from "../runtime/time";

/** A delivery has to be over, and its end told to Redis, before its lease is. */
export const LEASE_MARGIN_SECONDS = 5;

/** To the millisecond. */
const seconds = (least: number, most: number) => z.number().min(least).max(most).multipleOf(0.001);
const text = (most: number) => z.string().min(1).max(most);

/** Text that `check` accepts; its error becomes the problem. */
const checked = (most: number, check: (value: string) => void) =>
  z
    .string()
    .max(most)
    .superRefine((value, context) => {
      try {
        check(value);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message.replace(/\s*\n\s*/g, " ") });
      }
    });

const template = (fallback: string) => checked(10_000, checkTemplate).default(fallback);

const EXAMPLE = { id: "1", token: "1", topic: "packages", subject: "10", items: [], firstAt: 0, lastAt: 0, attempt: 1 };

/** An address, or a template that makes one of a plain subject. */
function checkRecipient(value: string): void {
  checkTemplate(value);
  if (!isOneAddress(render(value, EXAMPLE, 0)))
    throw new Error("must be one e-mail address, such as {{subject}}@sellers.example");
}

/** The name of a variable; what looks like its value is not repeated. */
const variable = (fallback: string) =>
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,100}$/, "must be the name of an environment variable, not what is in it")
    .default(fallback);

function checkUrl(value: string): void {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:")
    throw new Error("must be an absolute http or https URL");
  if (parsed.username !== "" || parsed.password !== "")
    throw new Error(`${showUrl(value)} must not carry a user name or password`);
}

const url = checked(2048, checkUrl);

const templates = {
  subject: template(DEFAULT_SUBJECT),
  text: template(DEFAULT_TEXT),
  maxItems: z.int().min(0).max(10_000).default(DEFAULT_MAX_ITEMS),
};

const common = {
  timeoutSeconds: seconds(0.1, 600).default(15),
  connectSeconds: seconds(0.1, 600).default(5),
  concurrency: z.int().min(1).max(1000).default(10),
};

const webhook = z.strictObject({
  type: z.literal("webhook"),
  url,
  secretEnv: variable("HOTPATH_WEBHOOK_SECRET").nullable(),
  ...common,
});

const sns = z.strictObject({
  type: z.literal("sns"),
  topicArn: z
    .string()
    .regex(
      /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/,
      "must be like arn:aws:sns:eu-central-1:123456789012:name",
    ),
  region: text(64).optional(),
  endpoint: url.optional(),
  ...templates,
  ...common,
});

const smtp = z.strictObject({
  type: z.literal("smtp"),
  host: text(255),
  port: z.int().min(1).max(65535).default(587),
  secure: z.boolean().default(false),
  requireTls: z.boolean().default(false),
  user: text(255).optional(),
  passwordEnv: variable("HOTPATH_SMTP_PASSWORD"),
  from: z
    .string()
    .regex(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+>?$/, "must be an e-mail address, or: Name <address>")
    .max(400),
  to: z.array(checked(400, checkRecipient)).min(1).max(50),
  ...templates,
  ...common,
});

const stdout = z.strictObject({ type: z.literal("stdout"), ...common });

const courierSchema = z.discriminatedUnion("type", [webhook, sns, smtp, stdout], {
  error: "must have a type: webhook, sns, smtp or stdout",
});

const topicSchema = z.strictObject({
  partition: z
    .string()
    .regex(/^[^{}:\s]{1,128}$/, "must be text without braces, colons and spaces")
    .optional(),
  stream: text(512).optional(),
  subject: text(128).optional(),
  item: text(128).optional(),
  prefix: text(256).optional(),
  quietSeconds: seconds(0.001, 30 * DAY_SECONDS).optional(),
  maxWaitSeconds: seconds(0, 365 * DAY_SECONDS).optional(),
  leaseSeconds: seconds(0.001, DAY_SECONDS).optional(),
  attempts: z.int().min(1).max(1000).optional(),
  backoffSeconds: seconds(0, HOUR_SECONDS).optional(),
  idKeepSeconds: seconds(1, HOUR_SECONDS).optional(),
  maxlen: z.int().min(0).max(1_000_000_000).optional(),
  limit: z.int().min(1).max(10_000).optional(),
  courier: courierSchema.optional(),
});

export const notifierSchema = z.strictObject({
  topics: z.record(text(128), topicSchema).default({}),
  maxSleepSeconds: seconds(0.05, HOUR_SECONDS).default(60),
});

export type NotifierConfig = z.output<typeof notifierSchema>;
export type TopicConfig = z.output<typeof topicSchema>;
export type CourierConfig = z.output<typeof courierSchema>;

/** Whether standard output belongs to notifications; logs go to standard error then. */
export function deliversToStdout({ notifier }: { notifier: NotifierConfig }): boolean {
  return Object.values(notifier.topics).some(({ courier }) => courier?.type === "stdout");
}

/** What is right by itself and wrong together. */
export function findNotifierContradictions({ topics }: NotifierConfig, isCluster: boolean): Issue[] {
  return Object.entries(topics).flatMap(
    ([name, { partition, quietSeconds, maxWaitSeconds, leaseSeconds, courier }]) => {
      const path = ["notifier", "topics", name];
      const issues: Issue[] = [];
      if (isCluster && partition === undefined) {
        issues.push({ path: [...path, "partition"], message: NEEDS_PARTITION });
      }
      if (
        quietSeconds !== undefined &&
        maxWaitSeconds !== undefined &&
        maxWaitSeconds > 0 &&
        maxWaitSeconds < quietSeconds
      ) {
        issues.push({
          path: [...path, "maxWaitSeconds"],
          message: `${maxWaitSeconds} is less than quietSeconds, which is ${quietSeconds} (0 is for no limit)`,
        });
      }
      if (courier && leaseSeconds !== undefined && courier.timeoutSeconds + LEASE_MARGIN_SECONDS > leaseSeconds) {
        issues.push({
          path: [...path, "courier", "timeoutSeconds"],
          message: timeoutProblem(courier.timeoutSeconds, leaseSeconds),
        });
      }
      return issues;
    },
  );
}

/** Why a delivery must be given up before its lease ends. */
export function timeoutProblem(timeoutSeconds: number, leaseSeconds: number): string {
  return (
    `${timeoutSeconds} must be at least ${LEASE_MARGIN_SECONDS} less than leaseSeconds, which is ${leaseSeconds}: ` +
    "else another host would deliver what is still on its way"
  );
}

const SECRET_NAMES = new RegExp(
  "^(secrets?|passwords?|passwd|pass|pwd|tokens?|api_?key|auth|authorization|credentials?|" +
    "access_?key(_?id)?|secret_?access_?key|session_?token)$",
  "i",
);
const ADVICE: Record<string, string> = {
  webhook: "put it into the environment and name the variable in secretEnv",
  smtp: "put it into the environment and name the variable in passwordEnv",
  sns: "the AWS SDK finds it in the environment",
};

/**
 * Secrets in the file: files are committed, copied and shown. What is found is not repeated.
 *
 * @param raw the section as it was read
 */
export function findSecrets(
  raw: unknown,
  path: PropertyKey[] = ["notifier"],
  advice = "put it into the environment",
): Issue[] {
  if (typeof raw !== "object" || raw === null) return [];
  const own = ADVICE[String((raw as { type?: unknown }).type)] ?? advice;
  // The keys of `topics` are names that somebody chose.
  const areSettings = path.length !== 2;
  return Object.entries(raw).flatMap(([name, value]: [string, unknown]) => {
    const here = [...path, Array.isArray(raw) ? Number(name) : name];
    const isSecret =
      (areSettings && SECRET_NAMES.test(name)) || (typeof value === "string" && value.includes("whsec_"));
    return isSecret
      ? [{ path: here, message: `a secret does not belong in the file: ${own}` }]
      : findSecrets(value, here, own);
  });
}
