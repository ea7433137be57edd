/** E-mail by SMTP. */
import { createTransport } from "nodemailer";
import { describeError } from "../../runtime/errors";
import { isOneAddress } from "./address";
import {
  failed,
  shorten,
  type Courier,
  type Delivered,
  type Delivery,
  type Failed,
  type Notification,
} from "./courier";
import { render, type Templates } from "./templates";

export interface SmtpOptions {
  host: string;
  port: number;
  /** TLS from the first byte on; otherwise STARTTLS where the server offers it. */
  secure: boolean;
  /** Refuses to go on without TLS. */
  requireTls: boolean;
  user?: string | undefined;
  password?: string | undefined;
  from: string;
  /** Addresses; each may be a template. */
  to: readonly string[];
  connectTimeoutMs: number;
  answerTimeoutMs: number;
  connections: number;
  templates: Templates;
}

/** Makes the courier. Connections are kept and used again. */
export function createSmtpCourier(options: SmtpOptions): Courier {
  const { host, port, user, password, connectTimeoutMs, answerTimeoutMs } = options;
  const transport = createTransport({
    pool: true,
    maxConnections: options.connections,
    // Attempts are counted in Redis, where every host sees them.
    maxRequeues: 0,
    host,
    port,
    secure: options.secure,
    requireTLS: options.requireTls,
    ...(user !== undefined && { auth: { user, pass: password ?? "" } }),
    connectionTimeout: connectTimeoutMs,
    dnsTimeout: connectTimeoutMs,
    greetingTimeout: answerTimeoutMs,
    socketTimeout: answerTimeoutMs,
    // A template must not read files or fetch addresses.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    shown: `smtp://${host}:${port}`,
    deliver: (notification) => send(transport, options, notification),
    close: async () => transport.close(),
  };
}

type Transport = ReturnType<typeof createTransport>;

async function send(
  transport: Transport,
  { from, to, templates }: SmtpOptions,
  notification: Notification,
): Promise<Delivery> {
  const { subject, text, maxItems } = templates;
  const recipients = to.map((template) => render(template, notification, 0));
  const wrong = recipients.find((address) => !isOneAddress(address));
  if (wrong !== undefined) return failed("address", `'${wrong}' is not an e-mail address`, { retryable: false });
  try {
    const { rejected } = (await transport.sendMail({
      from,
      to: recipients.map((address) => ({ name: "", address })),
      subject: render(subject, notification, maxItems),
      text: render(text, notification, maxItems),
      messageId: messageIdOf(notification.id, from),
      headers: { "X-Notification-Id": notification.id, "Auto-Submitted": "auto-generated" },
    })) as { rejected: unknown[] };
    return delivered(rejected);
  } catch (error) {
    return explain(error);
  }
}

/** The same in every attempt: mail servers and readers drop repeats by it. */
export function messageIdOf(id: string, from: string): string {
  const domain = /@([A-Za-z0-9.-]+)/.exec(from)?.[1] ?? "localhost";
  return `<${id.replace(/[^A-Za-z0-9._-]/g, (character) => `=${character.codePointAt(0)!.toString(16)}`)}@${domain}>`;
}

/** Some of several recipients took it: sending it again would give it to them twice. */
function delivered(rejected: readonly unknown[]): Delivered {
  const addresses = rejected.map((each) => (typeof each === "string" ? each : (each as { address: string }).address));
  return {
    outcome: "delivered",
    ...(addresses.length > 0 && { note: shorten(`refused for ${addresses.join(", ")}`) }),
  };
}

interface SmtpError {
  code?: string;
  responseCode?: number;
  response?: string;
}

function explain(error: unknown): Failed {
  const { code, responseCode, response } = error as SmtpError;
  // A wrong password is mended without touching the notification, which may wait for it.
  if (code === "EAUTH") return failed("smtp_auth", `login refused: ${response ?? describeError(error)}`);
  if (responseCode !== undefined) {
    const words = `${code === "EENVELOPE" ? "refused: " : ""}${response ?? describeError(error)}`;
    return failed(`smtp_${responseCode}`, words, { retryable: responseCode < 500 });
  }
  if (code === "ETIMEDOUT") return failed("timeout", `no answer: ${describeError(error)}`);
  return failed("connection", `cannot be reached: ${describeError(error)}`);
}
