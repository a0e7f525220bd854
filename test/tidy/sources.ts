import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/core/package-root.js';
import { type Views, viewsOf } from './views.js';

export interface Source extends Views {
  /** From the root of the repository: `src/core/clock.ts`. */
  readonly path: string;
  readonly text: string;
}

const folders = ['src', 'workers', 'bench', 'test'];

/** Every TypeScript file of the repository, in order of its path. */
export function readSources(): Source[] {
  const root = packageRoot();
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => `${folder}/${name}`,
      ),
    )
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => createSource(path, readFileSync(join(root, path), 'utf8')));
}

export function createSource(path: string, text: string): Source {
  return { path, text, ...viewsOf(text) };
}

/** `path:line` of an offset, as editors and terminals understand it. */
export function placeOf(source: Source, offset: number): string {
  return `${source.path}:${source.text.slice(0, offset).split('\n').length}`;
}
