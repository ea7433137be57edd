import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../host/config";
import { parseServerUrl, redactUrl } from "../../host/redis/url";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "hotpath-test-"));
  mkdirSync(join(cwd, "config"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function write(name: string, content: unknown): void {
  writeFileSync(join(cwd, name), typeof content === "string" ? content : JSON.stringify(content));
}

function load(env: Record<string, string> = {}) {
  return loadConfig({ env, cwd });
}

/** The problems that a configuration is refused for. */
function problems(content: unknown, env: Record<string, string> = {}): string[] {
  write("config/default.json", content);
  try {
    load(env);
  } catch (error) {
    const prefix = `${join(cwd, "config/default.json")}: `;
    expect((error as Error).message).toMatch(/^[^\n]*$/);
    expect((error as Error).message.startsWith(prefix)).toBe(true);
    return (error as Error).message.slice(prefix.length).split("; ");
  }
  return [];
}

describe("which file", () => {
  it("has defaults for everything", () => {
    const config = load();
    expect(config.file).toBeUndefined();
    expect(config.redis.url).toBe("redis://127.0.0.1:6379");
    expect(config.http.port).toBeUndefined();
    expect(config.tracker.streams).toEqual([{ key: "ST:TRACKER::::", partition: null }]);
    expect(config.tracker.schedule).toEqual({
      "5MINUTES": "*/5 * * * *",
      "10MINUTES": "*/10 * * * *",
      "1HOUR": "0 * * * *",
      "3HOURS": "0 */3 * * *",
      refresh: "23 * * * *",
      expire: "43 * * * *",
    });
    expect(config.tracker.enrichment).toBeUndefined();
    // Not set means: what Redis has stays.
    expect(config.tracker.maxlen).toBeUndefined();
  });

  it("reads config/default.json, config/$ENV.json, or what CONFIG_PATH names", () => {
    write("config/default.json", { http: { port: 1 } });
    write("config/test.json", { http: { port: 2 } });
    write("own.json", { http: { port: 3 } });
    expect(load().http.port).toBe(1);
    expect(load({ ENV: "test" }).http.port).toBe(2);
    expect(load({ ENV: "test", CONFIG_PATH: "own.json" }).http.port).toBe(3);
    expect(load({ ENV: "test", CONFIG_PATH: "own.json" }).file).toBe(join(cwd, "own.json"));
  });

  it("misses a file that is named, and does not miss the default one", () => {
    expect(() => load({ ENV: "production" })).toThrow(
      /config\/production\.json: there is no such file \(ENV names it\)/,
    );
    expect(() => load({ CONFIG_PATH: "x.json" })).toThrow(/x\.json: there is no such file \(CONFIG_PATH names it\)/);
    expect(load({ ENV: "default" }).file).toBeUndefined();
  });

  it("lets REDIS_URL take the place of redis.url", () => {
    write("config/default.json", { redis: { url: "redis://one" } });
    expect(load({ REDIS_URL: "rediss://two:1" }).redis.url).toBe("rediss://two:1");
    expect(load({ REDIS_URL: "" }).redis.url).toBe("redis://one");
  });

  it("reads the configuration that is shipped", () => {
    const shipped = loadConfig({ env: {}, cwd: process.cwd() });
    expect(shipped.file).toMatch(/config\/default\.json$/);
    expect({ ...shipped, file: undefined }).toEqual(load());
  });
});

describe("what is refused", () => {
  it("names every problem at once, each with its path", () => {
    const found = problems({
      redis: { url: "http://user:secret@host" },
      htp: { port: 1 },
      http: { port: 70000, hots: "x" },
      log: { level: "loud" },
      tracker: {
        streams: [{ key: "" }, { key: "a", limit: 1001 }],
        schedule: { "5MINUTES": "*/77 * * * *", "2HOURS": "x" },
        maxlen: -1,
      },
    });
    const expected = [
      /^redis\.url: 'http:\/\/\*\*\*@host' is not a Redis URL/,
      /^htp: unknown setting$/,
      /^http\.port: /,
      /^http\.hots: unknown setting$/,
      /^log\.level: /,
      /^tracker\.streams\[0\]\.key: /,
      /^tracker\.streams\[1\]\.limit: /,
      /^tracker\.schedule\.5MINUTES: .*steps/,
      /^tracker\.schedule\.2HOURS: unknown setting$/,
      /^tracker\.maxlen: /,
    ];
    for (const pattern of expected) expect(found).toContainEqual(expect.stringMatching(pattern));
    expect(found).toHaveLength(expected.length);
  });

  it.each([
    ["not JSON", "{", /JSON/],
    ["not an object", "[]", /^the whole: /],
    ["a redis that is no object", { redis: "redis://x" }, /^redis: /],
  ])("%s", (_, content, pattern) => {
    expect(problems(content, { REDIS_URL: "redis://y" }).join("; ")).toMatch(pattern);
  });

  it("names REDIS_URL where that is what is wrong, without its secrets", () => {
    const [problem] = problems({}, { REDIS_URL: "redis://u:secret@h:99999" });
    expect(problem).toBe("REDIS_URL: 'redis://***@h:99999': 'h:99999' is not host:port");
  });

  it("does not let streams and partitions contradict each other", () => {
    const one = { key: "ST:TRACKER::{rtl}::" };
    expect(problems({ tracker: { streams: [one] } })).toHaveLength(1);
    expect(problems({ tracker: { streams: [{ key: "ST:TRACKER::::" }], partitions: ["rtl"] } })).toHaveLength(1);
    expect(problems({ tracker: { streams: [one], partitions: ["today"] } })).toHaveLength(1);
    expect(problems({ tracker: { streams: [one], partitions: ["rtl", "today"] } })).toEqual([]);
    expect(problems({ tracker: { partitions: ["rtl", "rtl"] } })).toEqual([
      "tracker.partitions[1]: 'rtl' is named twice",
    ]);
    expect(problems({ tracker: { partitions: ["a:b"] } })).toEqual([
      expect.stringMatching(/^tracker\.partitions\[0\]: must be/),
    ]);
  });

  it("puts the partitions of a website together, and leaves every other one alone", () => {
    const partitions = ["a", "b", "c", "d", "e"];
    const of = (...names: string[]) => ({ partitions: names });
    const groups = (websites: object) => {
      write("config/default.json", { tracker: { partitions, websites } });
      return load().tracker.groups;
    };
    expect(groups({})).toEqual([["a"], ["b"], ["c"], ["d"], ["e"]]);
    expect(groups({ "x.example": of("c", "a"), "y.example": of("c", "a"), "z.example": of("e") })).toEqual([
      ["b"],
      ["c", "a"],
      ["d"],
      ["e"],
    ]);
    const wrong = (websites: object) => problems({ tracker: { partitions, websites } });
    expect(wrong({ "x.example": of("a", "f") })).toEqual([
      "tracker.websites.\"x.example\".partitions[1]: 'f' is none of tracker.partitions",
    ]);
    expect(wrong({ "x.example": of("a", "a") })).toEqual([
      "tracker.websites.\"x.example\".partitions[1]: 'a' is named twice",
    ]);
    expect(wrong({ "x.example": of("a", "b"), "y.example": of("b", "c") })).toEqual([
      "tracker.websites.\"y.example\".partitions[0]: 'b' belongs to a, b already, and websites share all of their partitions or none",
    ]);
    expect(wrong({ "x.example": of() })).toHaveLength(1);
  });

  it("wants partitions for a cluster, and gives each its stream", () => {
    const redis = { url: "redis+cluster://a,b:7000" };
    expect(problems({ redis, tracker: { maxlen: 5 } })).toEqual([
      expect.stringMatching(/^tracker\.partitions: a cluster needs/),
    ]);
    write("config/default.json", { redis, tracker: { partitions: ["rtl", "today"] } });
    expect(load().tracker.streams).toEqual([
      { key: "ST:TRACKER::{rtl}::", partition: "rtl" },
      { key: "ST:TRACKER::{today}::", partition: "today" },
    ]);
  });
});

describe("Redis URLs", () => {
  it("reads each form", () => {
    expect(parseServerUrl("redis://localhost")).toMatchObject({
      kind: "single",
      nodes: [{ host: "localhost", port: 6379 }],
      tls: false,
      database: 0,
    });
    expect(parseServerUrl("rediss://u:p%40%2F@h:1/5")).toMatchObject({
      tls: true,
      database: 5,
      credentials: { username: "u", password: "p@/" },
    });
    expect(parseServerUrl("redis://:p@h").credentials).toEqual({ password: "p" });
    expect(parseServerUrl("redis://[::1]:7000").nodes).toEqual([{ host: "::1", port: 7000 }]);
    expect(parseServerUrl("redis+cluster://u:p@a:1,b")).toMatchObject({
      kind: "cluster",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 6379 },
      ],
    });
    expect(parseServerUrl("redis+sentinel://u:p@a:1,b/my%20master/2?password=s")).toMatchObject({
      kind: "sentinel",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 26379 },
      ],
      masterName: "my master",
      database: 2,
      credentials: { username: "u", password: "p" },
      sentinelCredentials: { password: "s" },
    });
  });

  it.each([
    "",
    "localhost:6379",
    "redis://",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
    "redis://h/x",
    "redis://h/1/2",
    "redis://a,b",
    "redis+cluster://a/1",
    "redis+cluster://a,",
    "redis+sentinel://a",
    "redis+sentinel://a/m/x",
    "redis://h?x=1",
    "redis://%zz@h",
  ])("refuses %s", (url) => {
    expect(() => parseServerUrl(url)).toThrow(/^'/);
  });

  it("shows none of the secrets", () => {
    for (const url of [
      "redis://u:secret@h",
      "redis+sentinel://secret@a,b/m?password=secret",
      "rubbish://x:secret@y@z",
    ]) {
      expect(redactUrl(url)).not.toContain("secret");
    }
  });
});

describe("enrichment", () => {
  const enrichment = (settings: unknown) => problems({ tracker: { enrichment: settings } });

  it("is off unless it is there, and has defaults for everything", () => {
    write("config/default.json", { tracker: { enrichment: {} } });
    expect(load().tracker.enrichment).toEqual({
      enabled: true,
      concurrency: 8,
      perHost: 1,
      attempts: 5,
      backoffSeconds: 60,
      maxBackoffSeconds: 21_600,
      timeouts: { connectSeconds: 5, headersSeconds: 10, bodySeconds: 10, totalSeconds: 30 },
      maxBytes: 524_288,
      ports: [80, 443],
      allow: [],
      robots: true,
      robotsMinutes: 60,
      maxCrawlDelaySeconds: 30,
      timeZone: "UTC",
      items: {},
    });
  });

  const item = { url: "https://api.example/{article_id}", title: "title" };
  it.each<[string, unknown, string]>([
    ["an unknown setting", { x: 1 }, "tracker.enrichment.x: unknown setting"],
    ["no object", 1, "tracker.enrichment: Invalid input"],
    ["no concurrency", { concurrency: 0 }, "tracker.enrichment.concurrency: Too small"],
    ["no attempts", { attempts: 0 }, "tracker.enrichment.attempts: Too small"],
    ["few bytes", { maxBytes: 1023 }, "tracker.enrichment.maxBytes: Too small"],
    ["many bytes", { maxBytes: 16_777_217 }, "tracker.enrichment.maxBytes: Too big"],
    ["no time", { timeouts: { bodySeconds: 0 } }, "tracker.enrichment.timeouts.bodySeconds: Too small"],
    ["no port", { ports: [] }, "tracker.enrichment.ports: Too small"],
    ["an impossible port", { ports: [80, 65_536] }, "tracker.enrichment.ports[1]: Too big"],
    ["no range", { allow: ["10.0.0.0/8", "10.1"] }, "tracker.enrichment.allow[1]: '10.1' is no address range"],
    ["no time zone", { timeZone: "Mars" }, "tracker.enrichment.timeZone: there is no time zone 'Mars'"],
    ["a contact of two lines", { contact: "a\r\nb" }, "tracker.enrichment.contact: must be a mail or web address"],
    [
      "an item without its id",
      { items: { "a.b": { ...item, url: "https://api.example/" } } },
      'tracker.enrichment.items."a.b".url: must be an http',
    ],
    [
      "an item from a file",
      { items: { a: { ...item, url: "file:///{article_id}" } } },
      "tracker.enrichment.items.a.url: must be an http",
    ],
    ["an item without a title", { items: { a: { url: item.url } } }, "tracker.enrichment.items.a.title: Invalid input"],
    [
      "an empty path",
      { items: { a: { ...item, kicker: "a..b" } } },
      "tracker.enrichment.items.a.kicker: must be property names",
    ],
    [
      "a header of two lines",
      { items: { a: { ...item, headers: { x: "a\nb" } } } },
      "tracker.enrichment.items.a.headers.x: must be printable",
    ],
  ])("refuses %s", (_name, settings, problem) => {
    const [found, ...others] = enrichment(settings);
    expect(found).toContain(problem);
    expect(others).toEqual([]);
  });

  it("accepts what is at the bounds", () => {
    expect(
      enrichment({
        maxBytes: 1024,
        attempts: 1,
        ports: [1, 65_535],
        timeouts: { totalSeconds: 0.05 },
        maxCrawlDelaySeconds: 0,
      }),
    ).toEqual([]);
    expect(
      enrichment({
        maxBytes: 16_777_216,
        attempts: 100,
        allow: ["fd00::/8", "10.0.0.1"],
        items: { "WWW.rtl.lu:8080": item },
      }),
    ).toEqual([]);
    expect(Object.keys(load().tracker.enrichment!.items)).toEqual(["www.rtl.lu:8080"]);
  });

  it("has its schedule checked", () => {
    expect(problems({ tracker: { schedule: { refresh: "nonsense" } } })[0]).toMatch(/^tracker\.schedule\.refresh: /);
    expect(problems({ tracker: { schedule: { expire: "" } } })[0]).toMatch(/^tracker\.schedule\.expire: /);
  });
});

describe("the notifier", () => {
  const topic = (packages: object) => ({ notifier: { topics: { packages } } });
  const webhook = (more: object = {}) =>
    topic({ courier: { type: "webhook", url: "https://hooks.example/x", ...more } });
  const smtp = (more: object = {}) =>
    topic({
      courier: { type: "smtp", host: "mail.example", from: "a@b.example", to: ["{{subject}}@c.example"], ...more },
    });
  const sns = (more: object = {}) =>
    topic({ courier: { type: "sns", topicArn: "arn:aws:sns:eu-central-1:123456789012:packages", ...more } });

  it("has no topics by default, and defaults for couriers", () => {
    expect(load().notifier).toEqual({ topics: {}, maxSleepSeconds: 60 });
    write("config/default.json", webhook());
    expect(load().notifier.topics["packages"]).toEqual({
      courier: {
        type: "webhook",
        url: "https://hooks.example/x",
        secretEnv: "HOTPATH_WEBHOOK_SECRET",
        timeoutSeconds: 15,
        connectSeconds: 5,
        concurrency: 10,
      },
    });
    write("config/default.json", smtp());
    expect(load().notifier.topics["packages"]!.courier).toMatchObject({
      port: 587,
      secure: false,
      passwordEnv: "HOTPATH_SMTP_PASSWORD",
      maxItems: 100,
    });
  });

  it.each([
    [
      "unknown courier",
      topic({ courier: { type: "pigeon" } }),
      /^notifier\.topics\.packages\.courier(\.type)?: must have a type: webhook, sns, smtp or stdout/,
    ],
    ["unknown setting", topic({ quite: 1 }), /^notifier\.topics\.packages\.quite: unknown setting$/],
    [
      "unknown setting of a courier",
      webhook({ hedaers: {} }),
      /^notifier\.topics\.packages\.courier\.hedaers: unknown setting$/,
    ],
    [
      "setting of another courier",
      topic({ courier: { type: "stdout", url: "http://x" } }),
      /^notifier\.topics\.packages\.courier\.url: unknown setting$/,
    ],
    ["no url", topic({ courier: { type: "webhook" } }), /^notifier\.topics\.packages\.courier\.url: /],
    [
      "relative url",
      webhook({ url: "/x" }),
      /^notifier\.topics\.packages\.courier\.url: must be an absolute http or https URL$/,
    ],
    ["other protocol", webhook({ url: "ftp://x" }), /\.url: must be an absolute http or https URL$/],
    ["no quiet time", topic({ quietSeconds: 0 }), /^notifier\.topics\.packages\.quietSeconds: /],
    ["less than a millisecond", topic({ quietSeconds: 0.0015 }), /^notifier\.topics\.packages\.quietSeconds: /],
    ["too long a quiet time", topic({ quietSeconds: 2_592_001 }), /^notifier\.topics\.packages\.quietSeconds: /],
    ["too many attempts", topic({ attempts: 1001 }), /^notifier\.topics\.packages\.attempts: /],
    ["no name", { notifier: { topics: { "": {} } } }, /^notifier\.topics\."": /],
    ["template", smtp({ text: "{{#items}}" }), /^notifier\.topics\.packages\.courier\.text: Unclosed section/],
    [
      "name in a template",
      sns({ subject: "{{seller}}" }),
      /^notifier\.topics\.packages\.courier\.subject: there is no \{\{seller\}\}, only id,/,
    ],
    [
      "recipient",
      smtp({ to: ["a@b.example", "nobody"] }),
      /^notifier\.topics\.packages\.courier\.to\[1\]: must be one e-mail address/,
    ],
    ["two in one", smtp({ to: ["a@b.example,c@d.example"] }), /\.to\[0\]: must be one e-mail address/],
    ["no recipients", smtp({ to: [] }), /\.courier\.to: /],
    ["sender", smtp({ from: "nobody" }), /\.from: must be an e-mail address/],
    ["ARN", sns({ topicArn: "packages" }), /\.topicArn: must be like arn:aws:sns:/],
    [
      "max wait",
      topic({ quietSeconds: 60, maxWaitSeconds: 59 }),
      /^notifier\.topics\.packages\.maxWaitSeconds: 59 is less than quietSeconds, which is 60 \(0 is for no limit\)$/,
    ],
    [
      "lease that a delivery could outlast",
      topic({ leaseSeconds: 20, courier: { type: "stdout", timeoutSeconds: 15.001 } }),
      /^notifier\.topics\.packages\.courier\.timeoutSeconds: 15\.001 must be at least 5 less than leaseSeconds, which is 20: /,
    ],
  ])("refuses: %s", (_name, content, message) => {
    expect(problems(content)).toEqual([expect.stringMatching(message)]);
  });

  it("takes the same at their bounds", () => {
    for (const content of [
      topic({ quietSeconds: 0.001, attempts: 1 }),
      topic({ quietSeconds: 2_592_000, attempts: 1000 }),
      topic({ quietSeconds: 60, maxWaitSeconds: 60 }),
      topic({ quietSeconds: 60, maxWaitSeconds: 0 }),
      topic({ leaseSeconds: 20, courier: { type: "stdout", timeoutSeconds: 15 } }),
      webhook({ secretEnv: null }),
      smtp({ from: "Shop <a@b.example>", to: ["a@b.example"] }),
      sns({ topicArn: "arn:aws-cn:sns:cn-north-1:123456789012:x.fifo" }),
    ]) {
      expect(problems(content)).toEqual([]);
    }
  });

  it.each([
    [
      webhook({ secret: "hunter2" }),
      "courier.secret: a secret does not belong in the file: put it into the environment and name the variable in secretEnv",
    ],
    [
      webhook({ secretEnv: "whsec_hunter2" }),
      "courier.secretEnv: a secret does not belong in the file: put it into the environment and name the variable in secretEnv",
    ],
    [
      smtp({ password: "hunter2" }),
      "courier.password: a secret does not belong in the file: put it into the environment and name the variable in passwordEnv",
    ],
    [
      smtp({ auth: { user: "x", pass: "hunter2" } }),
      "courier.auth: a secret does not belong in the file: put it into the environment and name the variable in passwordEnv",
    ],
    [
      sns({ secretAccessKey: "hunter2" }),
      "courier.secretAccessKey: a secret does not belong in the file: the AWS SDK finds it in the environment",
    ],
    [topic({ token: "hunter2" }), "token: a secret does not belong in the file: put it into the environment"],
  ])("refuses secrets, and does not repeat them: %j", (content, message) => {
    expect(problems(content)).toEqual([`notifier.topics.packages.${message}`]);
  });

  it("refuses a secret where the name of its variable belongs, and credentials in a URL, without showing them", () => {
    const found = problems({
      notifier: {
        topics: {
          a: {
            courier: {
              type: "webhook",
              url: "https://me:hunter2@hooks.example/x?key=hunter2",
              secretEnv: "hunter2-hunter2",
            },
          },
        },
      },
    });
    expect(found).toEqual([
      "notifier.topics.a.courier.url: https://hooks.example/x must not carry a user name or password",
      "notifier.topics.a.courier.secretEnv: must be the name of an environment variable, not what is in it",
    ]);
  });

  it("lets a topic be called as it likes", () => {
    expect(problems({ notifier: { topics: { password: { quietSeconds: 1 } } } })).toEqual([]);
  });

  it("wants a partition in a cluster", () => {
    const env = { REDIS_URL: "redis+cluster://a:1" };
    expect(problems({ tracker: { partitions: ["p"] }, ...topic({}) }, env)).toEqual([
      "notifier.topics.packages.partition: a cluster needs it, to say where the keys are",
    ]);
    expect(problems({ tracker: { partitions: ["p"] }, ...topic({ partition: "p" }) }, env)).toEqual([]);
  });
});
