import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { describe, expect, it, onTestFinished } from "vitest";
import { isOneAddress } from "../../host/notifier/couriers/address";
import { deliverWithin, type Courier } from "../../host/notifier/couriers/courier";
import { createCourier } from "../../host/notifier/couriers/create";
import { createSmtpCourier, messageIdOf, type SmtpOptions } from "../../host/notifier/couriers/smtp";
import { createSnsCourier } from "../../host/notifier/couriers/sns";
import { createStdoutCourier } from "../../host/notifier/couriers/stdout";
import { checkTemplate, DEFAULT_SUBJECT, DEFAULT_TEXT, render } from "../../host/notifier/couriers/templates";
import { deliver, notification, using } from "../support/notification";
import { startReceiver, status } from "../support/receiver";

const TIMEOUTS = { connectTimeoutMs: 5000, answerTimeoutMs: 10_000 };
const TEMPLATES = { subject: DEFAULT_SUBJECT, text: DEFAULT_TEXT, maxItems: 100 };
const items = (count: number): string[] => Array.from({ length: count }, (_, at) => `P${at}`);

describe("templates", () => {
  it("list the items, and say how many are not listed", () => {
    expect(render(DEFAULT_SUBJECT, notification(), 3)).toBe("packages: 3 for 10");
    expect(render(DEFAULT_TEXT, notification(), 3)).toBe(
      "3 packages for 10, from 2026-11-20 12:00:00 UTC to 2026-11-20 12:01:30 UTC:\n\n- AAAAAA\n- BBBBBB\n- CCCCCC\n",
    );
    expect(render(DEFAULT_TEXT, notification(), 2)).toMatch(/- AAAAAA\n- BBBBBB\nand 1 more\n$/);
    expect(render("{{#items}}{{.}} {{/items}}{{more}}", notification({ items: items(10_000) }), 100)).toMatch(
      /^P0 .*P99 9900$/,
    );
  });

  it("escape nothing, and keep each value on its line", () => {
    const odd = notification({
      subject: `<b>"Ørsted & Söhne"</b>`,
      items: ["a\r\nBcc: x@y.example", "{{id}}", "x".repeat(500)],
    });
    expect(render("{{subject}}", odd, 9)).toBe(`<b>"Ørsted & Söhne"</b>`);
    const lines = render("{{#items}}\n{{.}}\n{{/items}}", odd, 9).split("\n");
    expect(lines).toEqual(["a��Bcc: x@y.example", "{{id}}", `${"x".repeat(199)}…`, ""]);
  });

  it.each([
    ["{{subject}} {{#items}}{{.}}{{/items}} {{#more}}{{more}}{{/more}} {{! a remark }}{{{id}}}{{&topic}}", undefined],
    ["plain", undefined],
    ["{{itmes}}", /there is no \{\{itmes\}\}, only id, topic, subject, count, items/],
    ["{{#items}}{{name}}{{/items}}", /there is no \{\{name\}\}/],
    ["{{#items}}", /Unclosed section "items"/],
    ["{{subject", /Unclosed tag/],
    ["{{>other}}", /no partials/],
  ])("%j is checked", (template, problem) => {
    if (problem) expect(() => checkTemplate(template)).toThrow(problem);
    else expect(() => checkTemplate(template)).not.toThrow();
  });
});

describe("standard output", () => {
  it("gets a line of JSON for each notification", async () => {
    const output = new PassThrough();
    const courier = createStdoutCourier(output);
    expect(await deliver(courier, notification({ items: ["a\nb"] }))).toEqual({ outcome: "delivered" });
    expect(String(output.read())).toBe(
      '{"id":"id-of-10","topic":"packages","subject":"10","items":["a\\nb"],"first_at":1795176000000,"last_at":1795176090000,"attempt":1}\n',
    );
  });

  it("is delivered to when the line has been taken, and not before", async () => {
    let take: (() => void) | undefined;
    const slow = new Writable({ write: (_chunk, _encoding, done) => void (take = done) });
    let isDelivered = false;
    const delivery = deliver(createStdoutCourier(slow)).then((outcome) => {
      isDelivered = true;
      return outcome;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDelivered).toBe(false);
    take!();
    expect(await delivery).toEqual({ outcome: "delivered" });
  });

  it("fails where nobody reads", async () => {
    const gone = new Writable({ write: (_chunk, _encoding, done) => done(new Error("write EPIPE")) });
    const courier = createStdoutCourier(gone);
    expect(await deliver(courier)).toEqual({
      outcome: "failed",
      code: "stdout",
      reason: "nobody reads: write EPIPE",
      retryable: true,
    });
    expect(await deliver(courier)).toMatchObject({ outcome: "failed", code: "stdout" });
  });
});

interface Mail {
  from: string;
  to: string[];
  content: string;
}

/** A mail server on loopback, without TLS. */
async function startMail(options: SMTPServerOptions = {}): Promise<{ port: number; mails: Mail[] }> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    disabledCommands: options.onAuth ? ["STARTTLS"] : ["STARTTLS", "AUTH"],
    allowInsecureAuth: true,
    closeTimeout: 50,
    onData: (stream, { envelope }, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
        mails.push({
          from,
          to: envelope.rcptTo.map(({ address }) => address),
          content: Buffer.concat(chunks).toString(),
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return { port: (server.server.address() as { port: number }).port, mails };
}

function smtpCourier(port: number, options: Partial<SmtpOptions> = {}): Courier {
  const defaults = {
    host: "127.0.0.1",
    secure: false,
    requireTls: false,
    from: "Hotpath <hotpath@shop.example>",
    to: ["{{subject}}@sellers.example"],
  };
  return using(createSmtpCourier({ ...defaults, port, connections: 2, templates: TEMPLATES, ...TIMEOUTS, ...options }));
}

const refusal = (code: number, words: string): Error => Object.assign(new Error(words), { responseCode: code });

describe("e-mail", () => {
  it("goes to the address that the subject gives, with a Message-ID that stays the same", async () => {
    const { port, mails } = await startMail();
    const courier = smtpCourier(port);
    for (const attempt of [1, 2])
      expect(await deliver(courier, notification({ attempt }))).toEqual({ outcome: "delivered" });
    expect(mails.map(({ from, to }) => [from, to])).toEqual(
      Array(2).fill(["hotpath@shop.example", ["10@sellers.example"]]),
    );
    const headers = mails.map(({ content }) => content.split("\r\n\r\n")[0]!);
    for (const header of headers) {
      expect(header).toMatch(/^Message-ID: <id-of-10@shop\.example>\r?$/m);
      expect(header).toMatch(/^Subject: packages: 3 for 10\r?$/m);
      expect(header).toMatch(/^Content-Type: text\/plain/m);
    }
    expect(mails[0]!.content).toContain("- AAAAAA\r\n- BBBBBB\r\n- CCCCCC");
  });

  it.each([
    [450, "greylisted, try again later", true],
    [550, "no such user", false],
  ])("has failed where the recipient is refused: %i", async (code, words, retryable) => {
    const { port, mails } = await startMail({ onRcptTo: (_address, _session, done) => done(refusal(code, words)) });
    expect(await deliver(smtpCourier(port))).toMatchObject({
      outcome: "failed",
      code: `smtp_${code}`,
      retryable,
      reason: expect.stringContaining(words) as string,
    });
    expect(mails).toEqual([]);
  });

  it("has failed where the message is refused, and where one of two recipients is, that is said", async () => {
    const full = await startMail({
      onData: (stream, _session, done) => {
        stream.resume();
        stream.on("end", () => done(refusal(552, "mailbox full")));
      },
    });
    expect(await deliver(smtpCourier(full.port))).toMatchObject({
      outcome: "failed",
      code: "smtp_552",
      retryable: false,
    });
    const { port, mails } = await startMail({
      onRcptTo: ({ address }, _session, done) => done(address.startsWith("b@") ? refusal(550, "unknown") : null),
    });
    const courier = smtpCourier(port, { to: ["a@x.example", "b@x.example"] });
    expect(await deliver(courier)).toEqual({ outcome: "delivered", note: "refused for b@x.example" });
    expect(mails).toHaveLength(1);
  });

  it("adds neither recipient nor header, whatever the subject is", async () => {
    const { port, mails } = await startMail();
    const courier = smtpCourier(port);
    for (const subject of ["x@evil.example, y", "a\r\nBcc: b@evil.example\r\n\r\n", "a b", "a@b", "<a>", ""]) {
      expect(await deliver(courier, notification({ subject })), JSON.stringify(subject)).toMatchObject({
        outcome: "failed",
        code: "address",
        retryable: false,
      });
    }
    expect(mails).toEqual([]);
    const fixed = smtpCourier(port, { to: ["all@shop.example"] });
    expect(await deliver(fixed, notification({ subject: "a\r\nBcc: b@evil.example" }))).toEqual({
      outcome: "delivered",
    });
    expect(mails[0]!.content).not.toMatch(/^Bcc:/im);
    expect(mails[0]!.to).toEqual(["all@shop.example"]);
  });

  it("logs in with the password of the environment, and says when it is refused, without it", async () => {
    const { port, mails } = await startMail({
      onAuth: ({ username, password }, _session, done) =>
        password === "right" ? done(null, { user: username }) : done(new Error("Invalid username or password")),
    });
    const login = (password: string) => deliver(smtpCourier(port, { user: "hotpath", password }));
    expect(await login("right")).toEqual({ outcome: "delivered" });
    const refused = await login("wrong-one");
    expect(refused).toMatchObject({ outcome: "failed", code: "smtp_auth", retryable: true });
    expect(JSON.stringify(refused)).not.toContain("wrong-one");
    expect(mails).toHaveLength(1);
  });

  it("has failed where nobody listens, where nobody greets, and where TLS is wanted and not offered", async () => {
    expect(await deliver(smtpCourier(1))).toMatchObject({ outcome: "failed", code: "connection", retryable: true });
    const silent = await startMail({ onConnect: () => undefined });
    expect(await deliver(smtpCourier(silent.port), notification(), 300)).toMatchObject({
      code: "timeout",
      reason: "no answer within 300 ms",
    });
    expect(await deliver(smtpCourier(silent.port, { answerTimeoutMs: 200 }))).toMatchObject({
      outcome: "failed",
      code: "timeout",
    });
    const plain = await startMail();
    expect(await deliver(smtpCourier(plain.port, { requireTls: true }))).toMatchObject({ outcome: "failed" });
    expect(plain.mails).toEqual([]);
  });

  it("has an id that fits into a header, and addresses that are one", () => {
    expect(messageIdOf("packages:10 ä>", "Shop <a@b.example>")).toBe("<packages=3a10=20=e4=3e@b.example>");
    expect(["a@b", "{{subject}}@x", "a.b+c@d.example"].map(isOneAddress)).toEqual([true, true, true]);
    expect(
      ["a", "a@b@c", "a@b,c@d", "a b@c", "A <a@b>", `${"a".repeat(250)}@b.example`, "a@b\n"].map(isOneAddress),
    ).toEqual(Array(7).fill(false));
  });
});

describe("SNS", () => {
  const ARN = "arn:aws:sns:eu-central-1:123456789012:packages";
  const OK = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>`;
  const error = (code: string, message: string): string =>
    `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
  const XML = { "content-type": "text/xml" };

  /** Credentials as the SDK finds them. */
  function courierTo(endpoint: string, topicArn = ARN, maxItems = 100): Courier {
    const before = { ...process.env };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "not-to-be-seen" });
    onTestFinished(() => void (process.env = before));
    return using(
      createSnsCourier({
        topicArn,
        region: "eu-central-1",
        endpoint,
        templates: { ...TEMPLATES, maxItems },
        ...TIMEOUTS,
      }),
    );
  }

  it("gets subject, text and attributes, signed by the SDK", async () => {
    const receiver = await startReceiver(status(200, XML, OK));
    expect(await deliver(courierTo(new URL(receiver.url).origin))).toEqual({ outcome: "delivered" });
    const { body, headers } = receiver.received[0]!;
    const fields = Object.fromEntries(new URLSearchParams(body));
    expect(fields).toMatchObject({
      Action: "Publish",
      TopicArn: ARN,
      Subject: "packages: 3 for 10",
      Message: expect.stringContaining("- AAAAAA\n- BBBBBB\n- CCCCCC") as string,
    });
    const attributes = [1, 2, 3, 4].map((at) => {
      const field = (name: string) => fields[`MessageAttributes.entry.${at}.${name}`];
      return [field("Name"), field("Value.DataType"), field("Value.StringValue")];
    });
    expect(attributes).toEqual([
      ["id", "String", "id-of-10"],
      ["topic", "String", "packages"],
      ["subject", "String", "10"],
      ["count", "Number", "3"],
    ]);
    expect(fields).not.toHaveProperty("MessageDeduplicationId");
    expect(headers["authorization"]).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d+\/eu-central-1\/sns/);
    expect(JSON.stringify(receiver.received)).not.toContain("not-to-be-seen");
  });

  it("drops repeats by itself on a FIFO topic, in order within a subject", async () => {
    const receiver = await startReceiver(status(200, XML, OK));
    const courier = courierTo(new URL(receiver.url).origin, `${ARN}.fifo`);
    for (const subject of ["10", "10", "Ørsted & Söhne"])
      await deliver(courier, notification({ subject, id: `id-${subject}` }));
    const sent = receiver.received.map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    expect(sent.slice(0, 2).map((each) => [each["MessageDeduplicationId"], each["MessageGroupId"]])).toEqual(
      Array(2).fill(["id-10", "10"]),
    );
    expect(sent[2]!["MessageDeduplicationId"]).toMatch(/^[0-9a-f]{40}$/);
    expect(sent[2]!["MessageGroupId"]).toMatch(/^[0-9a-f]{40}$/);
  });

  it("keeps to what SNS takes", async () => {
    const receiver = await startReceiver(status(200, XML, OK));
    const large = notification({
      subject: `ä\n${"s".repeat(300)}`,
      items: Array.from({ length: 5000 }, () => "ä".repeat(150)),
    });
    expect(await deliver(courierTo(new URL(receiver.url).origin, ARN, 5000), large)).toEqual({ outcome: "delivered" });
    const fields = Object.fromEntries(new URLSearchParams(receiver.received[0]!.body));
    expect(fields["Subject"]).toMatch(/^[\x20-\x7e]{100}$/);
    expect(Buffer.byteLength(fields["Message"]!)).toBeLessThanOrEqual(255 * 1024);
    expect(fields["Message"]).not.toContain("\ufffd\ufffd");
  });

  it.each([
    [400, "InvalidParameter", false],
    [403, "AuthorizationError", true],
    [404, "NotFound", false],
    [400, "Throttling", true],
    [500, "InternalError", true],
    [503, "ServiceUnavailable", true],
  ])("has failed at %i %s", async (code, name, retryable) => {
    const receiver = await startReceiver(status(code, XML, error(name, "as it is")));
    const delivery = await deliver(courierTo(new URL(receiver.url).origin));
    expect(delivery).toMatchObject({
      outcome: "failed",
      code: `sns_${code}`,
      retryable,
      reason: expect.stringContaining("as it is") as string,
    });
    // Attempts are counted by the queue; the SDK makes one.
    expect(receiver.received).toHaveLength(1);
  });

  it("has failed where nobody listens, and where nobody answers", async () => {
    const receiver = await startReceiver(() => undefined);
    expect(await deliver(courierTo(new URL(receiver.url).origin), notification(), 300)).toMatchObject({
      code: "timeout",
    });
    receiver.close();
    expect(await deliver(courierTo(new URL(receiver.url).origin))).toMatchObject({
      outcome: "failed",
      code: "connection",
    });
  });
});

describe("a courier and its secrets", () => {
  const webhook = {
    type: "webhook",
    url: "http://127.0.0.1:1/",
    secretEnv: "SECRET",
    timeoutSeconds: 1,
    connectSeconds: 1,
    concurrency: 1,
  } as const;
  const create = (value: string | undefined) =>
    createCourier(webhook, { SECRET: value }, "notifier.topics.packages.courier");
  const base64 = (bytes: number): string => Buffer.alloc(bytes, 7).toString("base64");

  it.each([
    [undefined, /^notifier\.topics\.packages\.courier\.secretEnv: the environment has no SECRET; /],
    [" , ", /^notifier\.topics\.packages\.courier\.secretEnv: the environment has no SECRET; /],
    [base64(24), /^SECRET: its secret 1 of 1 must be whsec_ and the base64 of 24 to 64 bytes$/],
    [`whsec_${base64(23)}`, /^SECRET: its secret 1 of 1 /],
    [`whsec_${base64(65)}`, /^SECRET: its secret 1 of 1 /],
    [`whsec_${base64(24)} whsec_hunter2`, /^SECRET: its secret 2 of 2 /],
  ])("is refused without showing it: %j", async (value, message) => {
    const problem = await create(value).catch((thrown: Error) => thrown.message);
    expect(problem).toMatch(message);
    expect(problem).not.toMatch(/hunter2|BwcH/);
  });

  it("takes the shortest and the longest, and several", async () => {
    for (const value of [`whsec_${base64(24)}`, `whsec_${base64(64)}`, `whsec_${base64(24)},whsec_${base64(32)}`])
      using(await create(value));
  });

  it("wants a password where there is a user", async () => {
    const smtp = {
      ...{ type: "smtp", host: "127.0.0.1", port: 1, secure: false, requireTls: false, from: "a@b", to: ["a@b"] },
      ...{ ...TEMPLATES, passwordEnv: "PASSWORD", timeoutSeconds: 1, connectSeconds: 1, concurrency: 1 },
    } as const;
    await expect(createCourier({ ...smtp, to: ["a@b"], type: "smtp", user: "me" }, {}, "c")).rejects.toThrow(
      /^c\.passwordEnv: the environment has no PASSWORD/,
    );
    using(await createCourier({ ...smtp, to: ["a@b"], type: "smtp" }, {}, "c"));
  });
});

it("a courier that throws, against its word, has failed", async () => {
  const broken: Courier = {
    shown: "broken",
    deliver: () => Promise.reject(new Error("a defect")),
    close: () => Promise.resolve(),
  };
  expect(await deliverWithin(broken, notification(), 1000)).toEqual({
    outcome: "failed",
    code: "internal",
    reason: "a defect",
    retryable: true,
  });
});
