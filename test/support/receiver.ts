/** A real HTTP receiver on loopback, which answers as a test tells it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What came in. */
export interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** Answers; `response.destroy()` and no answer at all are answers too. */
export type Answer = (received: Received, response: ServerResponse) => void;

export interface Receiver {
  url: string;
  /** In the order in which they came. */
  received: Received[];
  /** How it answers from now on. Default: 204. */
  answer: Answer;
  close(): void;
}

/** Starts a receiver, which is closed with the test. */
export async function startReceiver(answer: Answer = status(204)): Promise<Receiver> {
  const server = createServer((request, response) => {
    void readBody(request).then(
      (body) => {
        const headers = request.headers as Record<string, string>;
        const received = { method: request.method ?? "", path: request.url ?? "", headers, body };
        receiver.received.push(received);
        receiver.answer(received, response);
      },
      // The sender went away.
      () => undefined,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received: [],
    answer,
    close,
  };
  onTestFinished(close);
  return receiver;
}

/** Answers with a status, and perhaps headers and a body. */
export function status(code: number, headers: Record<string, string> = {}, body = ""): Answer {
  return (_received, response) => void response.writeHead(code, headers).end(body);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
