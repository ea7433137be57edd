/** What is to be done with files, as `get_merge_plan` and its like give it out. */

/** Files of a folder that are to become one. */
export interface MergePlan {
  id: string;
  writerId: string;
  layer: string;
  database: string;
  table: string;
  /** Paths of the files to be merged. */
  from: string[];
  /** Path of the file that they become: in the folder of the first, under a new name, of the next iteration. */
  to: string;
  /** Of the files to be merged, from 1. */
  iteration: number;
}

/** A file that is to go to the next layer, or to be dropped where none follows. */
export interface MovePlan {
  id: string;
  writerId: string;
  database: string;
  table: string;
  pathFrom: string;
  layerFrom: string;
  pathTo: string;
  /** Empty where no layer follows: delete the file from the index (`batch([], [entry])`) and end the plan. */
  layerTo: string;
}

/** A file that is to be removed from its layer: the index does not have it any more. */
export interface DropPlan {
  id: string;
  writerId: string;
  layer: string;
  database: string;
  table: string;
  path: string;
}

type Wire = Record<string, unknown>;

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function head(wire: Wire): Pick<MovePlan, "id" | "writerId" | "database" | "table"> {
  return {
    id: text(wire["id"]),
    writerId: text(wire["writer_id"]),
    database: text(wire["database"]),
    table: text(wire["table"]),
  };
}

/** Reads a merge plan from its JSON. */
export function decodeMergePlan(json: string): MergePlan {
  const wire = JSON.parse(json) as Wire;
  return {
    ...head(wire),
    layer: text(wire["layer"]),
    from: wire["from"] as string[],
    to: text(wire["to"]),
    iteration: Number(wire["iteration"]),
  };
}

/** Reads a move plan from its JSON. */
export function decodeMovePlan(json: string): MovePlan {
  const wire = JSON.parse(json) as Wire;
  return {
    ...head(wire),
    pathFrom: text(wire["path_from"]),
    layerFrom: text(wire["layer_from"]),
    pathTo: text(wire["path_to"]),
    layerTo: text(wire["layer_to"]),
  };
}

/** Reads a drop plan from its JSON. */
export function decodeDropPlan(json: string): DropPlan {
  const wire = JSON.parse(json) as Wire;
  return { ...head(wire), layer: text(wire["layer"]), path: text(wire["path"]) };
}
