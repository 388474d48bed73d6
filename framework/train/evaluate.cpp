#include "train/evaluate.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "train/decode.h"

namespace attune {

namespace {

// The rows or queries of the batch that have a target, or its examples.
void add(const Batch& batch, View<const float> logits, bool one_target, Predictions& p) {
  const PackedRows rows = batch.target_rows();
  const auto entry = [&](Index e, Index row) {
    const float* z = logits.row(row);
    p.output.insert(p.output.end(), z, z + p.n_outputs);
    p.target.push_back(batch.targets()[row]);
    p.example.push_back(rows.example[e]);
    p.group.push_back(batch.groups()[static_cast<std::size_t>(e)]);
  };
  for (Index e = 0; e < batch.n_examples(); ++e) {
    if (one_target) entry(e, e);
    for (Index row = rows.offsets[e]; !one_target && row < rows.offsets[e + 1]; ++row) {
      if (batch.targets()[row] == kNoTarget) continue;
      entry(e, row);
      p.position.push_back(row - rows.offsets[e]);
    }
  }
}

// What the model answers by itself to the examples of the batch, whose logits follow the wanted
// answers and are the first guess.
void add_decoded(Learner<float>& learner, const Dataset& data, Split split,
                 std::span<const Index> examples, View<const float> logits, Batch& batch,
                 Predictions& p) {
  const PackedRows rows = batch.query_rows();
  std::vector<TokenSequence> guess;
  for (Index e = 0; e < batch.n_examples(); ++e) {
    guess.push_back(most_likely(logits, rows.offsets[e], rows.offsets[e + 1]));
    p.sequence.push_back(rows.example[e]);
  }
  for (const TokenSequence& tokens :
       decode_greedily(learner, data, split, examples, std::move(guess), batch)) {
    p.decoded.insert(p.decoded.end(), tokens.begin(), tokens.end());
    p.decoded.insert(p.decoded.end(), static_cast<std::size_t>(p.n_decoded) - tokens.size(), -1);
  }
}

DecodedAnswer compared(std::span<const std::int32_t> decoded,
                       std::span<const std::int32_t> wanted) {
  DecodedAnswer answer;
  answer.length = std::ssize(wanted);
  answer.edits = edit_distance(decoded, wanted);
  for (std::size_t i = 0; i < std::min(decoded.size(), wanted.size()); ++i)
    answer.right += decoded[i] == wanted[i];
  answer.right += decoded.size() == wanted.size();  // both end there
  return answer;
}

}  // namespace

Predictions predict(Learner<float>& learner, const Dataset& data, Split split, BatchRule rule,
                    Batch& batch) {
  Packer packer(data.lengths(split), rule, 0, std::string(name_of(split)));
  const BatchPlan& plan = packer.in_order();
  const auto queries = learner.data().queries;
  Predictions p;
  p.n_outputs = data.n_classes();
  p.loss = learner.loss().name();
  if (queries && queries->decoded) p.n_decoded = queries->longest - 1;
  for (Index b = 0; b < plan.size(); ++b) {
    batch.assemble(data, split, plan[b]);
    const View<const float> logits = learner.evaluate(batch);
    add(batch, logits, data.one_target(), p);
    if (p.n_decoded > 0) add_decoded(learner, data, split, plan[b], logits, batch, p);
  }
  return p;
}

Scored scored(const Predictions& p) {
  Scored s{p.n_outputs, p.output, p.target, p.loss};
  if (p.n_decoded == 0) return s;
  std::map<Index, std::size_t> row_of;  // of `decoded`, by example
  for (std::size_t i = 0; i < p.sequence.size(); ++i) row_of[p.sequence[i]] = i;
  const auto width = static_cast<std::size_t>(p.n_decoded);
  for (std::size_t begin = 0, end = 0; begin < p.example.size(); begin = end) {
    while (end < p.example.size() && p.example[end] == p.example[begin]) ++end;
    const std::int32_t* row = p.decoded.data() + row_of.at(p.example[begin]) * width;
    const std::int32_t* stop = std::find(row, row + width, -1);
    TokenSequence wanted;  // without the boundary
    for (std::size_t i = begin; i + 1 < end; ++i)
      wanted.push_back(static_cast<std::int32_t>(p.target[i]));
    s.answer_of.insert(s.answer_of.end(), end - begin, std::ssize(s.answers));
    s.answers.push_back(compared({row, stop}, wanted));
  }
  return s;
}

void load_weights(const WeightSet& set, const std::string& where, const Learner<float>& learner) {
  std::vector<std::string> wrong;
  for (const ParameterId id : learner.registry().by_name()) {
    const Registry::Parameter& p = learner.registry()[id];
    const auto found = std::find_if(set.tensors.begin(), set.tensors.end(),
                                    [&](const NamedTensor& t) { return t.name == p.name; });
    if (found == set.tensors.end()) {
      wrong.push_back(fmt::format("has no '{}' {}", p.name, p.shape.text()));
    } else if (found->shape != p.shape) {
      wrong.push_back(
          fmt::format("'{}' has shape {}, not {}", p.name, found->shape.text(), p.shape.text()));
    } else {
      std::copy(found->values.begin(), found->values.end(), learner.value(id).begin());
    }
  }
  ATTUNE_CHECK(wrong.empty(), DataError, "{}: its /weights are not what this model needs: {}",
               where, join(wrong, "; "));
}

}  // namespace attune
