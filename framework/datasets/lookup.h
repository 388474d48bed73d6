#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: lookup. A memory of n_items rows, each the code of a key and behind it that of its
// value, and n_questions queries, each the code of a key in another width; the answer is the value
// of the item that has the key. Every key has one item, and values are drawn anew for every item of
// every example, so that nothing but the rows tells an answer.
//   map: redrawn  keys lie in a new order in every example, and other keys are asked for
//   map: fixed    item k has key k, and query j always asks for the same key π(j): a model needs to
//                 read no key, as the way from items to queries never changes
// Codes are random vectors of norm 1: half an item's width is its key's (rounded down), the rest
// its value's. `noise` is the root mean square norm of the Gaussian noise on each row and query.
//
// Draws, of an example: where redrawn, the key of each item, a shuffle, and the keys asked for, a
// choice of n_questions; then each item's value. Noise comes from the stream "lookup.noise" at the
// same coordinates, a normal for each of the rows' and then the queries' values. Codes are the
// first normals of the stream "lookup.codes", divided by their norm, code c of book b (0 keys, 1
// values, 2 questions) at (c, b); π is the choice drawn from "lookup.fixed" at (0, 0).
struct LookupOptions : GeneratedOptions {
  enum class Map { redrawn, fixed };
  Index n_items = 49, item_width = 512;
  Index n_questions = 12, question_width = 256;
  Index n_values = 8;
  Map map = Map::redrawn;
  double noise = 0;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
