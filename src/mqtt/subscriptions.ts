import { limits } from '../core/limits.js';
import { type DownlinkKind, downlinkTopics, type TopicForm } from './topics.js';

/** One topic filter that a session subscribed to. */
export interface Subscription {
  readonly filter: string;
  /** The granted maximum QoS. */
  readonly qos: 0 | 1;
  /** The rows of `downlinkTopics` that the filter can match, as bits. */
  readonly matches: number;
}

/** Where and how a push goes: the form that the device subscribed in. */
export interface SubscribedForm {
  readonly form: TopicForm;
  readonly qos: 0 | 1;
}

/**
 * The subscriptions of one session; `0 ≤ size ≤ subscriptionsPerSessionMax`. They end with the
 * connection: Session Present is always 0.
 */
export class Subscriptions {
  readonly #list: Subscription[];

  constructor() {
    this.#list = [];
  }

  get size(): number {
    return this.#list.length;
  }

  /** Adds or replaces [MQTT-3.8.4-3]; false when the session holds as many as it may. */
  put(subscription: Subscription): boolean {
    const index = this.#indexOf(subscription.filter);
    if (index >= 0) {
      this.#list[index] = subscription;
      return true;
    }
    if (this.#list.length >= limits.subscriptionsPerSessionMax) return false;
    this.#list.push(subscription);
    return true;
  }

  /** Filters are compared character by character [MQTT-3.10.4-1]; false when there was none. */
  remove(filter: string): boolean {
    const index = this.#indexOf(filter);
    if (index < 0) return false;
    this.#list.splice(index, 1);
    return true;
  }

  /**
   * The forms in which a push of `kind` is wanted, each with the highest granted QoS of the
   * subscriptions that match it [MQTT-3.3.4-2]; empty when the device subscribed to none.
   */
  formsOf(kind: DownlinkKind): SubscribedForm[] {
    const forms: SubscribedForm[] = [];
    for (let index = 0; index < downlinkTopics.length; index++) {
      const topic = downlinkTopics[index];
      if (topic === undefined || topic.kind !== kind) continue;
      const qos = this.#qosOf(1 << index);
      if (qos !== undefined) forms.push({ form: topic.form, qos });
    }
    return forms;
  }

  #qosOf(bit: number): 0 | 1 | undefined {
    let qos: 0 | 1 | undefined;
    for (const subscription of this.#list) {
      if ((subscription.matches & bit) === 0) continue;
      if (qos === undefined || subscription.qos > qos) qos = subscription.qos;
    }
    return qos;
  }

  #indexOf(filter: string): number {
    return this.#list.findIndex((subscription) => subscription.filter === filter);
  }
}
