/** AWS SNS. Credentials come from the environment, by the SDK's own chain: variables, web identity, container, instance. */
import { createHash } from "node:crypto";
import { PublishCommand, SNSClient, type MessageAttributeValue } from "@aws-sdk/client-sns";
import { describeError } from "../../runtime/errors";
import { failed, type Courier, type Delivery, type Failed, type Notification } from "./courier";
import { render, type Templates } from "./templates";

interface SnsOptions {
  topicArn: string;
  region: string;
  /** Another address than Amazon's, for example of a local stand-in. */
  endpoint?: string | undefined;
  connectTimeoutMs: number;
  answerTimeoutMs: number;
  templates: Templates;
}

/** Of SNS: message and attributes together. A little is left for the attributes. */
const MAX_MESSAGE_BYTES = 255 * 1024;
const MAX_SUBJECT = 100;
const MAX_ID = 128;

/** Makes the courier. It does not retry by itself: attempts are counted in Redis, where every host sees them. */
export function createSnsCourier(options: SnsOptions): Courier {
  const { region, endpoint, connectTimeoutMs, answerTimeoutMs, topicArn } = options;
  const client = new SNSClient({
    region,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: connectTimeoutMs, requestTimeout: answerTimeoutMs },
    ...(endpoint !== undefined && { endpoint }),
  });
  return {
    shown: topicArn,
    deliver: (notification, signal) => publish(client, options, notification, signal),
    close: async () => client.destroy(),
  };
}

async function publish(
  client: SNSClient,
  { topicArn, templates }: SnsOptions,
  notification: Notification,
  abortSignal: AbortSignal,
): Promise<Delivery> {
  const { subject, text, maxItems } = templates;
  const command = new PublishCommand({
    TopicArn: topicArn,
    Subject: subjectLine(render(subject, notification, maxItems)),
    Message: cutBytes(render(text, notification, maxItems), MAX_MESSAGE_BYTES),
    MessageAttributes: attributesOf(notification),
    // A FIFO topic drops repeats of the last five minutes, and keeps the order within a subject.
    ...(topicArn.endsWith(".fifo") && {
      MessageDeduplicationId: idText(notification.id),
      MessageGroupId: idText(notification.subject),
    }),
  });
  try {
    await client.send(command, { abortSignal });
    return { outcome: "delivered" };
  } catch (error) {
    return explain(error);
  }
}

function attributesOf({ id, topic, subject, items }: Notification): Record<string, MessageAttributeValue> {
  const text = (value: string): MessageAttributeValue => ({ DataType: "String", StringValue: value });
  return {
    id: text(id),
    topic: text(topic),
    subject: text(cutBytes(subject, 256)),
    count: { DataType: "Number", StringValue: String(items.length) },
  };
}

/** SNS takes ASCII without control characters, of up to 100 characters. */
function subjectLine(text: string): string {
  const ascii = text.replace(/[^\x20-\x7e]/gu, "?").trim();
  return (ascii === "" ? "?" : ascii).slice(0, MAX_SUBJECT);
}

/** SNS takes up to 128 ASCII characters without spaces as an id; any other text is stood for by its hash. */
function idText(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= MAX_ID ? text : createHash("sha1").update(text).digest("hex");
}

/** The text, or as much of its start as fits; no character is cut in two. */
function cutBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = most;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** Throttling, the server's own failures and what a person mends without touching the notification. */
const PASSING = new Set([403, 408, 429]);

function explain(error: unknown): Failed {
  const { name, $metadata, $retryable } = error as {
    name: string;
    $metadata?: { httpStatusCode?: number };
    $retryable?: object;
  };
  const status = $metadata?.httpStatusCode;
  if (name === "AbortError" || name === "TimeoutError") return failed("timeout", `no answer: ${describeError(error)}`);
  if (status === undefined) return failed("connection", `cannot be reached: ${describeError(error)}`);
  const retryable = status >= 500 || PASSING.has(status) || $retryable !== undefined || /Throttl/.test(name);
  return failed(`sns_${status}`, `${name}: ${describeError(error)}`, { retryable });
}
