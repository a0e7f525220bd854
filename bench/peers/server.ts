/** Something the sender can load: a peer or the product. */
export interface Server {
  name: string;
  mqttPort: number;
  httpPort: number;
  /** Processes whose time is read during a run, by name; `server` is what is compared. */
  watch: Record<string, number[]>;
  stop(): Promise<void>;
}

/** The core of the servers under test and the core of the sender. */
export const serverCore = 0;
export const senderCore = 1;
