/** The notifier on a test's server, and replies as what they mean. */
import { fcall, useFunctions, type Argument, type TestFunctions } from "./functions";
import type { TestClient, TestServerOptions } from "./server";

export { HOUR, MINUTE, SECOND } from "./time";

/** Noon of the day of the examples. */
export const NOON = Date.UTC(2022, 5, 28, 12);

/** A notification as it is claimed. */
export interface Claimed {
  id: string;
  token: string;
  topic: string;
  subject: string;
  items: string[];
  first_at: number;
  last_at: number;
  attempt: number;
}

/** A notification as it is listed. */
export interface Listed extends Omit<Claimed, "token"> {
  state: string;
  count: number;
  at: number;
  worker?: string;
  reason?: string;
}

/** The notifier's functions on the file's server. */
export interface TestNotifier extends TestFunctions {
  /** Adds entries to a stream: field, value, field, value. */
  add(stream: string, id: string, ...fields: string[]): Promise<string>;
  claim(topic: string, ...args: Argument[]): Promise<{ next: number | null; claimed: Claimed[] }>;
  list(topic: string, ...args: Argument[]): Promise<{ total: number; listed: Listed[] }>;
}

/** Claims on any connection. */
export async function claimOn(
  client: TestClient,
  topic: string,
  ...args: Argument[]
): Promise<{ next: number | null; claimed: Claimed[] }> {
  const [next, ...json] = (await fcall(client, "claim_notifications", topic, ...args)) as [number | null, ...string[]];
  return { next, claimed: json.map((each) => JSON.parse(each) as Claimed) };
}

/** A server for the file with the built notifier in it. Call it where `useServer` may be called. */
export function useNotifier(options: TestServerOptions = {}): TestNotifier {
  const functions = useFunctions("notifier", options);
  return Object.assign(functions, {
    add: async (stream: string, id: string, ...fields: string[]) =>
      String(await functions.client.sendCommand(["XADD", stream, id, ...fields])),
    claim: (topic: string, ...args: Argument[]) => claimOn(functions.client, topic, ...args),
    list: async (topic: string, ...args: Argument[]) => {
      const [total, ...json] = (await functions.read("list_notifications", topic, ...args)) as [number, ...string[]];
      return { total, listed: json.map((each) => JSON.parse(each) as Listed) };
    },
  });
}
