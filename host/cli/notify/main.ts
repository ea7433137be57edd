/** `hotpath notify`: what waits, what has failed for good, giving it out again, and trying the receiver. */
import { randomUUID } from "node:crypto";
import type { HotpathFunctions } from "../../contract";
import { deliverWithin, type Delivered, type Notification } from "../../notifier/couriers/courier";
import { createCourier } from "../../notifier/couriers/create";
import { HotpathError, UsageError } from "../../runtime/errors";
import { deliversToStdout } from "../../notifier/config";
import { formatCount } from "../../terminal/format";
import { withNotifier, type Notifier } from "./access";
import { renderNotifications, renderTopics, type Listed, type TopicRow } from "./tables";
import type { State } from "./command";

export interface JsonOption {
  json?: boolean;
}

export interface ListOptions extends JsonOption {
  state?: State;
  offset?: number;
  count?: number;
}

export interface RetryOptions extends JsonOption {
  all?: boolean;
}

export interface TestOptions extends JsonOption {
  subject?: string;
  item?: string[];
}

const DEFAULT_COUNT = 50;
/** Most ids of one call when all dead notifications are retried. */
const RETRY_PAGE = 1000;

/** Lists the notifications of a topic in a state; without a topic, all topics and how they are doing. */
export async function listCommand(topic: string | undefined, options: ListOptions): Promise<void> {
  if (topic === undefined && options.state !== undefined)
    throw new UsageError("--state needs a topic: hotpath notify list packages --state dead");
  await withNotifier(async (notifier) => {
    if (topic === undefined) return showTopics(notifier, options);
    await showNotifications(notifier, topic, options.state ?? "waiting", options);
  });
}

/** Lists what has failed for the last time, and why. */
export async function deadCommand(topic: string, options: ListOptions): Promise<void> {
  await withNotifier((notifier) => showNotifications(notifier, topic, "dead", options));
}

/** Gives notifications out again, and opens the gate of a receiver that was disabled or asked to wait. */
export async function retryCommand(topic: string, ids: string[], options: RetryOptions): Promise<void> {
  if (ids.length > 0 === (options.all ?? false))
    throw new UsageError("name the ids to retry, or say --all for all that are dead");
  await withNotifier(async (notifier) => {
    const functions = notifier.functionsOf(topic);
    const retried = options.all ? await retryDead(functions, topic) : await retryEach(functions, topic, ids);
    const opened = await notifier.openGate(topic);
    if (options.json) return console.log(JSON.stringify({ topic, retried, opened }));
    console.log(
      `${formatCount(retried)} of ${topic} will be given out again${opened ? "; the receiver is delivered to again" : ""}`,
    );
  });
}

/** Sends a test notification to the receiver of a topic; exits with 1 if it does not arrive. */
export async function sendTestCommand(topic: string, options: TestOptions): Promise<void> {
  await withNotifier(async (notifier) => {
    const courierConfig = notifier.configured(topic).config.courier;
    if (!courierConfig) throw new UsageError(`notifier.topics.${topic}: it has no courier in the configuration`);
    const courier = await createCourier(courierConfig, process.env, `notifier.topics.${topic}.courier`);
    try {
      const notification = testNotification(topic, options);
      const delivery = await deliverWithin(courier, notification, courierConfig.timeoutSeconds * 1000);
      const opened = delivery.outcome === "delivered" && (await notifier.openGate(topic));
      // Where notifications have standard output, the test itself was printed there.
      const say = deliversToStdout(notifier.config) ? console.error : console.log;
      if (options.json)
        say(JSON.stringify({ topic, courier: courier.shown, id: notification.id, ...delivery, opened }));
      else if (delivery.outcome === "delivered")
        say(`delivered to ${courier.shown} as ${notification.id}${describeNote(delivery, opened)}`);
      else console.error(`hotpath: ${courier.shown}: ${delivery.reason}`);
      if (delivery.outcome !== "delivered") process.exitCode = 1;
    } finally {
      await courier.close();
    }
  });
}

function describeNote(delivery: Delivered, opened: boolean): string {
  return `${delivery.note === undefined ? "" : `; ${delivery.note}`}${opened ? "; it is delivered to again" : ""}`;
}

/** Not a notification of the topic: nothing of it is in Redis. */
function testNotification(topic: string, { subject = "test", item = ["TEST-1", "TEST-2"] }: TestOptions): Notification {
  const now = Date.now();
  return { id: `test-${randomUUID()}`, token: "", topic, subject, items: item, firstAt: now, lastAt: now, attempt: 1 };
}

async function showTopics(notifier: Notifier, { json }: JsonOption): Promise<void> {
  const rows: TopicRow[] = [];
  for (const topic of await notifier.topicNames()) {
    const functions = notifier.functionsOf(topic);
    const status = await functions.getNotifierStatus({ topic }).catch(nullIfMissing);
    rows.push({ topic, status, gate: await notifier.gateStateOf(topic) });
  }
  console.log(json ? JSON.stringify(rows) : renderTopics(rows, Date.now()));
}

/** A topic of the configuration is made when a host starts. */
function nullIfMissing(error: unknown): null {
  if (error instanceof HotpathError && error.code === "NOTFOUND") return null;
  throw error;
}

async function showNotifications(notifier: Notifier, topic: string, state: State, options: ListOptions): Promise<void> {
  const { offset = 0, count = DEFAULT_COUNT } = options;
  const functions = notifier.functionsOf(topic);
  const [total, ...page] = await functions.listNotifications({ topic, state, offset, count });
  const listed = page.map((json) => JSON.parse(json) as Listed);
  if (options.json) console.log(JSON.stringify({ topic, state, total, offset, notifications: listed }));
  else console.log(renderNotifications({ topic, state, total, offset, listed }, Date.now()));
}

async function retryEach(functions: HotpathFunctions, topic: string, ids: readonly string[]): Promise<number> {
  for (const id of ids) await functions.retryNotification({ topic, id });
  return ids.length;
}

/** As many as were dead at the beginning: what dies meanwhile is not taken up again and again. */
async function retryDead(functions: HotpathFunctions, topic: string): Promise<number> {
  let retried = 0;
  let passedOver = 0;
  for (let left = Infinity; left > 0;) {
    const [total, ...page] = await functions.listNotifications({
      topic,
      state: "dead",
      offset: passedOver,
      count: RETRY_PAGE,
    });
    left = Math.min(left, total - passedOver);
    if (page.length === 0) break;
    for (const json of page.slice(0, left)) {
      const { id } = JSON.parse(json) as Listed;
      if (await retryOne(functions, topic, id)) retried += 1;
      else passedOver += 1;
      left -= 1;
    }
  }
  return retried;
}

/** False if somebody else was quicker. */
async function retryOne(functions: HotpathFunctions, topic: string, id: string): Promise<boolean> {
  try {
    await functions.retryNotification({ topic, id });
    return true;
  } catch (error) {
    if (error instanceof HotpathError && ["NOTFOUND", "CONFLICT"].includes(error.code)) return false;
    throw error;
  }
}
