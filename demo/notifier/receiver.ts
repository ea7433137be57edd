/** A receiver of webhooks on loopback that is at times as unreliable as real ones. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import type { Random } from "../tracker/random";

/** What a receiver does with a message. */
export type Manner = "takes it" | "answers 500" | "answers 429" | "never answers" | "takes it and hangs up";

/** One request. */
export interface Arrival {
  id: string;
  seller: string;
  packages: string[];
  /** Simulated, unix milliseconds. */
  atMs: number;
  manner: Manner;
  /** Whether the message was taken now, for the first time: later ones with its id are dropped. */
  isNew: boolean;
}

export interface DemoReceiver {
  url: string;
  secret: string;
  arrivals: Arrival[];
  /** Requests whose signature was right. */
  verified(): number;
  close(): void;
}

/** After that it wants to hear nothing for so long; seconds of simulated time. */
export const RETRY_AFTER_SECONDS = 300;

const MANNERS: readonly [upTo: number, manner: Manner][] = [
  [0.1, "answers 500"],
  [0.16, "never answers"],
  [0.2, "answers 429"],
  [0.28, "takes it and hangs up"],
  [1, "takes it"],
];

interface Message {
  data: { id: string; subject: string; items: string[] };
}

/**
 * Starts the receiver.
 *
 * @param nowMs the simulated clock
 */
export async function startReceiver(random: Random, nowMs: () => number): Promise<DemoReceiver> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const webhook = new Webhook(secret);
  const arrivals: Arrival[] = [];
  const taken = new Set<string>();
  let verified = 0;
  const receive = (body: string, headers: Record<string, string>, response: ServerResponse): void => {
    const { data } = webhook.verify(body, headers) as Message;
    verified += 1;
    const draw = random();
    const manner = MANNERS.find(([upTo]) => draw < upTo)![1];
    const takes = manner === "takes it" || manner === "takes it and hangs up";
    arrivals.push({
      id: data.id,
      seller: data.subject,
      packages: data.items,
      atMs: nowMs(),
      manner,
      isNew: takes && !taken.has(data.id),
    });
    if (takes) taken.add(data.id);
    answer(manner, response);
  };
  const server = createServer((request, response) => {
    void readBody(request)
      .then((body) => receive(body, request.headers as Record<string, string>, response))
      .catch(() => response.writeHead(400).end("not signed\n"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notifications`,
    secret,
    arrivals,
    verified: () => verified,
    close,
  };
}

function answer(manner: Manner, response: ServerResponse): void {
  switch (manner) {
    case "takes it":
      return void response.writeHead(204).end();
    case "answers 500":
      return void response.writeHead(500).end("something broke\n");
    case "answers 429":
      return void response.writeHead(429, { "retry-after": String(RETRY_AFTER_SECONDS) }).end();
    case "takes it and hangs up":
      return void response.destroy();
    case "never answers":
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
