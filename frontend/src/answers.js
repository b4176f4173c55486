// Answers: what was fetched, kept within bounds, and put together for the wall.

import { Cache } from "./cache.js";
import { differenceOf } from "./difference.js";
import { figuresFrom, figuresOf, layerOf } from "./layer.js";

/** @import {Choice, Container, Figures, LayerData, Store} from "./types" */

/**
 * What the wall shows: one layer's maps of one run, of two, or of their difference.
 * @typedef {object} Shown
 * @property {string} key
 * @property {number} node
 * @property {LayerData[]} layers
 * @property {Figures[]} figures
 * @property {boolean} difference
 */

const LAYER_ROOM = 256 * 2 ** 20;
const OTHER_ROOM = 64 * 2 ** 20;

export class Answers {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Cache<LayerData>} */
    this.layers = new Cache(LAYER_ROOM, (layer) => layer.bytes);
    /** @type {Cache<Container>} */
    this.parts = new Cache(OTHER_ROOM, bytesOf);
    /** @type {Cache<Container>} */
    this.figures = new Cache(OTHER_ROOM, bytesOf);
  }

  /** @param {string} run */
  statistics(run) {
    return this.figures.get(`${run}/statistics`, () => this.store.statistics(run));
  }

  /** @param {string} run */
  thumbnails(run) {
    return this.figures.get(`${run}/thumbnails`, () => this.store.thumbnails(run));
  }

  /** @param {string} run @param {number} [input] which of several */
  preview(run, input) {
    return this.figures.get(`${run}/preview/${input ?? ""}`, () => this.store.preview(run, input));
  }

  /**
   * One channel's exact values.
   * @param {string} run @param {number} node @param {number} channel @param {string} [minus]
   */
  exact(run, node, channel, minus) {
    return this.parts.get(`${run}/${node}/${channel}/${minus ?? ""}`, () =>
      this.store.exact(run, node, channel, { minus }),
    );
  }

  /** A layer's kernels at an epoch of a record. @param {number} node @param {number} epoch */
  kernels(node, epoch) {
    return this.parts.get(`kernels/${node}/${epoch}`, () => this.store.kernels(node, epoch));
  }

  /**
   * @param {string} run @param {number} node @param {string} [minus]
   * @returns {Promise<LayerData>}
   */
  layer(run, node, minus) {
    const key = `${run}/${node}/${minus ?? ""}`;
    return this.layers.get(key, async () => {
      if (minus && this.store.kind === "inline") {
        const two = [this.layer(run, node), this.layer(minus, node)];
        const [one, other] = await Promise.all(two);
        return differenceOf(key, one, other);
      }
      const layer = layerOf(key, await this.store.layer(run, node, { minus }));
      // A difference is drawn around 0, even where it has one sign only.
      return minus ? { ...layer, signed: true } : layer;
    });
  }

  /**
   * Everything that the wall shows of a choice.
   * @param {Choice} choice
   * @returns {Promise<Shown>}
   */
  async shown({ node, run, other, compare }) {
    const difference = other !== null && compare === "difference";
    const wanted = difference ? [[run, other]] : other ? [[run], [other]] : [[run]];
    const layers = await Promise.all(wanted.map(([one, minus]) => this.layer(one, node, minus)));
    const figures = await Promise.all(
      layers.map((layer, i) => this.figuresOf(layer, wanted[i][0], node, difference)),
    );
    return { key: layers.map((layer) => layer.key).join("|"), node, layers, figures, difference };
  }

  /** @param {LayerData} layer @param {string} run @param {number} node @param {boolean} difference */
  async figuresOf(layer, run, node, difference) {
    if (difference) return figuresFrom(layer);
    const all = await this.statistics(run).catch(() => null);
    const known = all && figuresOf(all, node);
    return known && known.min.length >= layer.channels ? known : figuresFrom(layer);
  }
}

/** @param {Container} container */
const bytesOf = ({ sections }) =>
  Object.values(sections).reduce((sum, section) => sum + section.data.byteLength, 0);
