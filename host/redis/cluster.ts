/** A cluster: which primary has which slots, and a link to each that is needed. */
import { describeError, ReplyError, SlotMovingError, UnavailableError, UserError } from "../runtime/errors";
import { endClient, Link, openClient, type Access } from "./link";
import { formatEndpoint, type Endpoint, type ServerUrl } from "./url";
import type { Argument, SendOptions } from "./wire";

/** Slots from `from` to `to`, both included, and who serves them. */
interface SlotRange {
  from: number;
  to: number;
  primary: Endpoint;
}

/** A node as the cluster tells of it. */
export interface ClusterNode {
  endpoint: Endpoint;
  role: "primary" | "replica";
  /** `online`, `loading` or `failed`. */
  health: string;
  hasSlots: boolean;
}

/** One that lost its slots by a failover and has not come back is none any more. */
export function isPrimary({ role, health, hasSlots }: ClusterNode): boolean {
  return role === "primary" && (hasSlots || health !== "failed");
}

/** While slots move, a command may be sent on more than once; it runs only at the end of the chain. */
const MAX_REDIRECTIONS = 8;

export class Cluster {
  #ranges: SlotRange[] = [];
  /** Primaries that have no slot, as they were last seen. */
  #slotless: Endpoint[] = [];
  #refreshing: Promise<void> | undefined;
  readonly #links = new Map<string, Promise<Link>>();
  readonly #slots = new Map<string, number>();
  readonly #access: Access;
  #closed = false;

  constructor(private readonly url: ServerUrl) {
    this.#access = { tls: url.tls, credentials: url.credentials, database: 0 };
  }

  /**
   * Learns who serves which slots.
   *
   * @throws UnavailableError if no node answers; UserError if they are not a cluster
   */
  async open(): Promise<this> {
    await this.refresh();
    return this;
  }

  /**
   * Sends one command, at most once, to the primary that serves the slot of the routing key; without one, to any.
   *
   * @throws ReplyError for an error reply; UnavailableError while that primary is away; SlotMovingError for a function whose slot
   *   is being moved
   */
  async send(args: readonly Argument[], routingKey: string | undefined, options: SendOptions): Promise<unknown> {
    return routingKey === undefined ? this.#sendToAny(args, options) : this.#sendByKey(args, routingKey, options);
  }

  /** To the first that is there: what has no key, each can answer. */
  async #sendToAny(args: readonly Argument[], options: SendOptions): Promise<unknown> {
    if (this.#ranges.length === 0) await this.refresh();
    const isUnsent = (error: unknown): boolean => error instanceof UnavailableError && !error.maybeExecuted;
    return this.#firstOf((endpoint) => this.#sendTo(endpoint, args, false, options), isUnsent);
  }

  /** What the first node answers; the next one is asked where `goesOn` says so of an error. */
  async #firstOf<T>(ask: (endpoint: Endpoint) => Promise<T>, goesOn: (error: unknown) => boolean): Promise<T> {
    const problems: string[] = [];
    for (const endpoint of this.#endpoints()) {
      try {
        return await ask(endpoint);
      } catch (error) {
        if (!goesOn(error)) throw error;
        problems.push(describeError(error));
      }
    }
    this.#refreshInBackground();
    throw new UnavailableError(`no node of the cluster answers: ${problems.join("; ")}`, false);
  }

  async #sendByKey(args: readonly Argument[], routingKey: string, options: SendOptions): Promise<unknown> {
    let endpoint = await this.#ownerOf(routingKey);
    let asking = false;
    for (let redirections = 0; ; redirections += 1) {
      try {
        return await this.#sendTo(endpoint, args, asking, options);
      } catch (error) {
        const redirection = redirections < MAX_REDIRECTIONS ? parseRedirection(error, endpoint) : undefined;
        if (!redirection) {
          if (error instanceof UnavailableError) this.#refreshInBackground();
          throw error;
        }
        // It would run where most of its keys are not yet: a node answers ASK as soon as it misses the routing key, which never exists.
        if (redirection.asking && isFunctionCall(args)) {
          throw new SlotMovingError(`${formatEndpoint(endpoint)}: the slot of ${routingKey} is being moved`, error);
        }
        asking = redirection.asking;
        endpoint = redirection.endpoint;
        if (!asking) this.#refreshInBackground();
      }
    }
  }

  /**
   * The link to the primary that serves the slot of the routing key.
   *
   * @throws UnavailableError while it is away
   */
  async primaryOf(routingKey: string): Promise<Link> {
    return this.#link(await this.#ownerOf(routingKey));
  }

  /** The link to the first primary that is there. */
  async anyPrimary(): Promise<Link> {
    if (this.#ranges.length === 0) await this.refresh();
    const linkTo = async (endpoint: Endpoint): Promise<Link> => {
      const link = await this.#link(endpoint);
      await link.send(["PING"]);
      return link;
    };
    return this.#firstOf(linkTo, (error) => error instanceof UnavailableError);
  }

  /**
   * The links to all primaries, asked for anew, those without slots as well: a slot may be given to them at any time.
   *
   * @throws UnavailableError while one of them is away
   */
  async primaries(): Promise<Link[]> {
    const nodes = await this.nodes();
    return Promise.all(nodes.filter(isPrimary).map(({ endpoint }) => this.#link(endpoint)));
  }

  /** All nodes as the cluster tells of them, primaries first. */
  async nodes(): Promise<ClusterNode[]> {
    await this.refresh();
    const nodes = parseShards(await this.#sendToAny(["CLUSTER", "SHARDS"], {}), this.url.tls);
    this.#slotless = nodes.filter((node) => isPrimary(node) && !node.hasSlots).map(({ endpoint }) => endpoint);
    return nodes;
  }

  /** The link to a node. */
  linkTo(endpoint: Endpoint): Promise<Link> {
    return this.#link(endpoint);
  }

  /** Closes at once and for good. */
  close(): void {
    this.#closed = true;
    for (const opening of this.#links.values())
      void opening.then(
        (link) => link.close(),
        () => undefined,
      );
    this.#links.clear();
  }

  /** Asks the nodes for the slots. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#discover().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  #refreshInBackground(): void {
    void this.refresh().catch(() => undefined);
  }

  #endpoints(): Endpoint[] {
    return [...new Map(this.#ranges.map(({ primary }) => [formatEndpoint(primary), primary])).values()];
  }

  async #discover(): Promise<void> {
    const candidates = [...this.#endpoints(), ...this.url.nodes];
    const problems: string[] = [];
    for (const node of new Map(candidates.map((each) => [formatEndpoint(each), each])).values()) {
      try {
        this.#ranges = await readSlots(node, this.#access);
        return this.#dropUnused();
      } catch (error) {
        if (error instanceof ReplyError) throw notACluster(error, this.url);
        problems.push(describeError(error));
      }
    }
    throw new UnavailableError(`no node of the cluster answers: ${problems.join("; ")}`, false);
  }

  #dropUnused(): void {
    const used = new Set([...this.#endpoints(), ...this.#slotless].map(formatEndpoint));
    for (const [address, opening] of this.#links) {
      if (used.has(address)) continue;
      this.#links.delete(address);
      void opening.then(
        (link) => link.close(),
        () => undefined,
      );
    }
  }

  async #ownerOf(routingKey: string): Promise<Endpoint> {
    if (this.#ranges.length === 0) await this.refresh();
    const slot = await this.#slotOf(routingKey);
    const range = this.#ranges.find(({ from, to }) => from <= slot && slot <= to);
    if (range) return range.primary;
    this.#refreshInBackground();
    throw new UnavailableError(`nobody in the cluster serves slot ${slot}`, false);
  }

  /** Asked once for each key, and routing keys are few: one for each partition. */
  async #slotOf(routingKey: string): Promise<number> {
    const known = this.#slots.get(routingKey);
    if (known !== undefined) return known;
    const ask = ["CLUSTER", "KEYSLOT", routingKey];
    const slot = (await this.#firstOf(
      (endpoint) => this.#sendTo(endpoint, ask, false, {}),
      () => true,
    )) as number;
    this.#slots.set(routingKey, slot);
    return slot;
  }

  async #sendTo(
    endpoint: Endpoint,
    args: readonly Argument[],
    asking: boolean,
    options: SendOptions,
  ): Promise<unknown> {
    const link = await this.#link(endpoint);
    if (!asking) return link.send(args, options);
    // ASKING holds for the next command of the connection; both are queued in the same turn, so nothing gets between.
    const [, reply] = await Promise.all([link.send(["ASKING"]), link.send(args, options)]);
    return reply;
  }

  #link(endpoint: Endpoint): Promise<Link> {
    if (this.#closed) throw new UnavailableError("the connection is closed", false);
    const address = formatEndpoint(endpoint);
    const known = this.#links.get(address);
    if (known) return known;
    const opening = new Link(() => Promise.resolve(endpoint), this.#access).open();
    this.#links.set(address, opening);
    opening.then(
      (link) => this.#closed && link.close(),
      () => this.#links.get(address) === opening && this.#links.delete(address),
    );
    return opening;
  }
}

/** CLUSTER SLOTS: [from, to, [host, port, …], replica …] for each range. */
async function readSlots(node: Endpoint, access: Access): Promise<SlotRange[]> {
  const client = await openClient(node, access);
  try {
    const reply = (await client.sendCommand(["CLUSTER", "SLOTS"])) as unknown as [
      number,
      number,
      [string | null, number],
    ][];
    if (reply.length === 0) throw new UnavailableError(`${formatEndpoint(node)}: the cluster has no slots yet`, false);
    // A node that does not know its own address leaves it empty: it is the one that was asked.
    return reply.map(([from, to, [host, port]]) => ({ from, to, primary: { host: host || node.host, port } }));
  } catch (error) {
    throw error instanceof Error && error.message.includes("cluster support disabled")
      ? new ReplyError("ERR", error.message)
      : error;
  } finally {
    endClient(client);
  }
}

/** CLUSTER SHARDS: for each shard its slots, and its nodes as field, value, field, value. */
function parseShards(reply: unknown, tls: boolean): ClusterNode[] {
  const nodes = (reply as unknown[][]).flatMap((shard) => {
    const { slots, nodes: members } = fieldsOf(shard) as { slots: unknown[]; nodes: unknown[][] };
    return members.map((member): ClusterNode => {
      const { endpoint, ip, port, role, health, "tls-port": tlsPort } = fieldsOf(member) as Record<string, string>;
      return {
        endpoint: { host: endpoint || ip || "", port: Number(tls ? tlsPort : port) },
        role: role === "master" ? "primary" : "replica",
        health: health ?? "",
        hasSlots: slots.length > 0,
      };
    });
  });
  return nodes.sort((a, b) => (a.role === b.role ? 0 : a.role === "primary" ? -1 : 1));
}

function fieldsOf(flat: readonly unknown[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) fields[String(flat[at])] = flat[at + 1];
  return fields;
}

function notACluster(error: ReplyError, url: ServerUrl): Error {
  if (!error.message.includes("cluster support disabled")) return error;
  return new UserError(`${url.shown} is not a cluster; its URL must start with redis:// or rediss://`);
}

function isFunctionCall([command]: readonly Argument[]): boolean {
  return command === "FCALL" || command === "FCALL_RO";
}

function parseRedirection(error: unknown, from: Endpoint): { asking: boolean; endpoint: Endpoint } | undefined {
  if (!(error instanceof ReplyError) || (error.code !== "MOVED" && error.code !== "ASK")) return undefined;
  const match = /^\d+ (.*):(\d+)$/.exec(error.sentence);
  if (!match) return undefined;
  return { asking: error.code === "ASK", endpoint: { host: match[1] || from.host, port: Number(match[2]) } };
}
