import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { HotpathError, UnavailableError } from "../../host/runtime/errors";
import { trackEventsInChunks } from "../../host/tracker/events";
import { createFunctions, type Send } from "../../host/redis/functions";
import { readBundle } from "../../host/deploy/libraries";
import { describeWithOwnServer, useServer } from "../support/server";
import { until } from "../support/wait";

/** Records what is sent and answers with what is given. */
function recorder(reply: unknown): { sent: [unknown[], object][]; send: Send } {
  const sent: [unknown[], object][] = [];
  return {
    sent,
    send: (args, options) => {
      sent.push([args, options]);
      return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
    },
  };
}

describe("on the wire", () => {
  const accepted = ["accepted", 1, "rejected", 1, "late", 0, "errors", [[1, "BADEVENT", "no url"]]];

  it("puts positional arguments first, then JSONs, then the options that are given", async () => {
    const { sent, send } = recorder(accepted);
    await createFunctions(send).trackEvents({ events: ['{"a":1}', "{}"], now: 1000 });
    expect(sent).toEqual([[["FCALL", "track_events", "0", '{"a":1}', "{}", "NOW", "1000"], {}]]);
  });

  it("passes the routing key, as the call's only key and to what routes it", async () => {
    const { sent, send } = recorder(1);
    await createFunctions(send, { routingKey: "{rtl}" }).trackerLead({ job: "j", slot: 5, worker: "w" });
    expect(sent).toEqual([[["FCALL", "tracker_lead", "1", "{rtl}", "j", "5", "w"], { routingKey: "{rtl}" }]]);
  });

  it("calls functions that only read with FCALL_RO", async () => {
    const { sent, send } = recorder(["library", "tracker", "version", "1", "hash", "x"]);
    expect(await createFunctions(send).trackerLibrary()).toEqual({ library: "tracker", version: "1", hash: "x" });
    expect(sent[0]?.[0]).toEqual(["FCALL_RO", "tracker_library", "0"]);
  });

  it("decodes records by name, with lists and tuples in them; nil is null", async () => {
    const reordered = ["unknown", 7, ...accepted.slice(4), ...accepted.slice(0, 4)];
    const functions = createFunctions(recorder(reordered).send);
    expect(await functions.trackEvents({ events: ["{}"] })).toEqual({
      accepted: 1,
      rejected: 1,
      late: 0,
      errors: [[1, "BADEVENT", "no url"]],
    });
    expect(await createFunctions(recorder(null).send).getDocument({ dimension: "P", id: "0".repeat(40) })).toBeNull();
  });

  it("sends both values of an option that takes two, and decodes a total with what it counts", async () => {
    const { sent, send } = recorder([2, "x", "y"]);
    expect(
      await createFunctions(send).findDocuments({ dimension: "P", level: [1, "news"], visited: [1, 2], count: 5 }),
    ).toEqual([2, "x", "y"]);
    expect(sent[0]?.[0]).toEqual([
      "FCALL_RO",
      "find_documents",
      "0",
      "P",
      "LEVEL",
      "1",
      "news",
      "VISITED",
      "1",
      "2",
      "COUNT",
      "5",
    ]);
    expect(await createFunctions(recorder([null]).send).findDocuments({ dimension: "P" })).toEqual([null]);
    const wrong = { dimension: "P", level: [1] } as unknown as { dimension: "P"; level: [number, string] };
    await expect(createFunctions(send).findDocuments(wrong)).rejects.toThrow(
      "find_documents: level must be an array of 2 values, got 1",
    );
    const scalar = { dimension: "P", level: 1 } as unknown as { dimension: "P"; level: [number, string] };
    await expect(createFunctions(send).findDocuments(scalar)).rejects.toThrow(
      "find_documents: level must be an array of 2 values, got 1",
    );
  });

  it("refuses arguments that the function does not have, before anything is sent", async () => {
    const { sent, send } = recorder(1);
    const functions = createFunctions(send) as unknown as Record<string, (args: object) => Promise<unknown>>;
    await expect(functions["trackerDone"]!({ job: "j", slot: 1, worker: "w", lease: 1 })).rejects.toThrow(
      "tracker_done has no argument 'lease'",
    );
    await expect(functions["trackerDone"]!({ job: "j", slot: 1 })).rejects.toThrow(
      "tracker_done: worker must be text or a number, got undefined",
    );
    expect(sent).toEqual([]);
  });
});

describe("against a server", () => {
  const server = useServer();
  let connection: Connection;
  const send: Send = (args, options) => connection.send(args, options);

  beforeAll(async () => {
    connection = await connect(server.url);
    await deploy(connection, { libraries: readBundle() });
    return () => connection.close();
  });
  beforeEach(() => server.flush());

  it("turns an error reply into code, sentence and function", async () => {
    const attempt = createFunctions(send).trackerLead({ job: "j", slot: -1, worker: "w" });
    await expect(attempt).rejects.toBeInstanceOf(HotpathError);
    await expect(attempt).rejects.toMatchObject({
      code: "BADARG",
      functionName: "tracker_lead",
      message: expect.stringMatching(/^slot must be/) as string,
    });
  });

  it("sends text as it is, to the byte", async () => {
    const functions = createFunctions(send);
    const uui = "café \u0000\r\n$5 🦊";
    const reply = await functions.trackEvents({
      events: [JSON.stringify({ url: "https://www.rtl.lu/a/1.html", uui, dt: Date.now() })],
    });
    expect(reply).toEqual({ accepted: 1, rejected: 0, late: 0, errors: [] });
  });

  it("sends any number of events in calls of bounded size, and keeps their places", async () => {
    const good = (at: number) => JSON.stringify({ url: `https://www.rtl.lu/a/${at}.html`, uui: "d", dt: Date.now() });
    const events = Array.from({ length: 2500 }, (_, at) => (at === 0 || at === 2499 ? "{}" : good(at)));
    const total = await trackEventsInChunks(createFunctions(send), events);
    expect(total).toMatchObject({ accepted: 2498, rejected: 2, late: 0 });
    expect(total.errors.map(([index, code]) => [index, code])).toEqual([
      [0, "BADEVENT"],
      [2499, "BADEVENT"],
    ]);
    expect(await trackEventsInChunks(createFunctions(send), [])).toEqual({
      accepted: 0,
      rejected: 0,
      late: 0,
      errors: [],
    });
  });

  it("builds the names of all keys in the partition of the routing key", async () => {
    await createFunctions(send, { routingKey: "{rtl}" }).trackerLead({ job: "j", slot: 5, worker: "w" });
    expect(await server.client.keys("*")).toEqual(["H:TICK::{rtl}j::"]);
  });
});

describeWithOwnServer("when something breaks", () => {
  const server = useServer();
  let connection: Connection;
  const send: Send = (args, options) => connection.send(args, options);

  beforeAll(async () => {
    connection = await connect(server.url);
    return () => connection.close();
  });
  beforeEach(async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
  });

  it("heals a function that is not found, once", async () => {
    const healed: string[] = [];
    const healing = createFunctions(send, {
      heal: async (library) => {
        healed.push(library);
        await deploy(connection, { libraries: readBundle() });
      },
    });
    expect((await healing.trackerLibrary()).library).toBe("tracker");
    expect((await healing.trackerLibrary()).library).toBe("tracker");
    expect(healed).toEqual(["tracker"]);
  });

  it("gives up after one attempt at healing, and does not try without a healer", async () => {
    let attempts = 0;
    const useless = createFunctions(send, {
      heal: () => {
        attempts += 1;
        return Promise.resolve();
      },
    });
    await expect(useless.trackerLibrary()).rejects.toMatchObject({ code: "ERR", message: "Function not found" });
    expect(attempts).toBe(1);
    await expect(createFunctions(send).trackerLibrary()).rejects.toMatchObject({ functionName: "tracker_library" });
  });

  it("does not repeat a call whose connection broke, and says that it may have run", async () => {
    const slow = `#!lua name=slow
      redis.register_function("slow", function() redis.call("INCR", "ran") redis.call("CLIENT", "ID") return 1 end)`;
    await server.client.sendCommand(["FUNCTION", "LOAD", slow]);
    await server.client.del("ran");
    // Replies are held back by CLIENT PAUSE, so that the connection breaks while the call is under way.
    const id = (await connection.send(["CLIENT", "ID"])) as number;
    await server.client.sendCommand(["CLIENT", "PAUSE", "60000", "WRITE"]);
    const call = connection.send(["FCALL", "slow", "0"]);
    call.catch(() => undefined);
    await until(async () =>
      String(await server.client.sendCommand(["CLIENT", "LIST", "ID", String(id)])).includes("cmd=fcall"),
    );
    await server.client.sendCommand(["CLIENT", "KILL", "ID", String(id)]);
    await expect(call).rejects.toMatchObject({ name: "UnavailableError", maybeExecuted: true });
    await server.client.sendCommand(["CLIENT", "UNPAUSE"]);
    await until(() => connection.send(["PING"]).catch(() => undefined));
    expect(await server.client.get("ran")).toBeNull();
  });

  it("fails at once while the server is away, keeps nothing back, and comes back by itself", async () => {
    await server.kill();
    await until(
      async () =>
        (await connection.send(["PING"]).then(
          () => undefined,
          (error: unknown) => error,
        )) instanceof UnavailableError,
    );
    const sending = Promise.allSettled(
      Array.from({ length: 1000 }, () => connection.send(["INCR", "sent-while-away"])),
    );
    // All fail before the event loop turns: they wait for no timer and no socket.
    const turned = new Promise<"turned">((resolve) => setImmediate(() => resolve("turned")));
    expect(await Promise.race([sending, turned])).not.toBe("turned");
    const attempts = await sending;
    expect(attempts.every(({ status }) => status === "rejected")).toBe(true);
    expect((attempts[0] as PromiseRejectedResult).reason).toMatchObject({ maybeExecuted: false });
    await server.restart();
    await until(() => connection.send(["PING"]).catch(() => undefined));
    expect(await server.client.get("sent-while-away")).toBeNull();
  });
});
