import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * `dataDir/node.json`: what a running node tells the other programs of its host. It exists while
 * the node runs; one that a killed node left behind is recognised by its process id.
 */
const nodeFileSchema = z.object({
  pid: z.int().positive(),
  version: z.string(),
  /** Milliseconds since 1970. */
  startedAt: z.int(),
  /** The ports in use, by listener: `mqtt`, `http`, `metrics`, `clickhouse`. */
  ports: z.record(z.string(), z.int()),
  /** The addresses they are bound to, by listener. */
  hosts: z.record(z.string(), z.string()),
});
export type NodeFile = Readonly<z.output<typeof nodeFileSchema>>;

const fileName = 'node.json';

/** Replaces the file in one step, so that a reader never sees half of it. */
export function writeNodeFile(dataDir: string, node: NodeFile): void {
  const path = join(dataDir, fileName);
  writeFileSync(`${path}.new`, `${JSON.stringify(node, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}

export function removeNodeFile(dataDir: string): void {
  rmSync(join(dataDir, fileName), { force: true });
}

/** The node that runs on `dataDir`, undefined when there is none. */
export function readNodeFile(dataDir: string): NodeFile | undefined {
  try {
    const node = nodeFileSchema.parse(JSON.parse(readFileSync(join(dataDir, fileName), 'utf8')));
    return isAlive(node.pid) ? node : undefined;
  } catch {
    // Absent, or written by something else: no node that we could talk to.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // EPERM: it lives and belongs to another user.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
