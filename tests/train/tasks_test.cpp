// Tiny models on the synthetic tasks: what can be learnt is learnt, what must be equal is equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "datasets/copy.h"
#include "datasets/retrieval.h"
#include "nn/transformer.h"
#include "train/evaluate.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace attune {
namespace {

// The last metric of that name on a split.
double last(const RunContent& content, const std::string& split, const std::string& metric) {
  const MetricTable& table = content.metrics.at(split);
  for (std::size_t m = 0; m < table.info.size(); ++m)
    if (table.info[m].name == metric) return table.values[m].back();
  ADD_FAILURE() << "no " << split << "/" << metric;
  return 0;
}

// Two pairs of two keys and two values: chance is 1/2.
TEST(Tasks, ATinyModelRetrievesValuesFarAboveChance) {
  RetrievalOptions task;
  task.n_pairs = 2;
  task.n_keys = 2;
  task.n_values = 2;
  task.n_train = 512;
  task.n_val = task.n_test = 128;
  TrainerOptions options;
  auto& model = static_cast<EncoderModelOptions&>(options.model.find("encoder"));
  options.model.kind = "encoder";
  model.d_model = 32;
  model.position_size = 5;
  options.train.steps = 250;
  options.train.batch_size = 32;
  options.train.eval_every = 250;
  options.optim.adamw.lr = 3e-3;
  const auto data = task.open({.seed = 1});
  Recorder recorder;
  Trainer(options, *data, 1, recorder).run();
  EXPECT_GT(last(recorder.content(), "test", "accuracy"), 0.95);
}

// Science: distance ≤ L (w − 1) is where a stack of windows can see it; a model without attention
// between rows sees nothing, and stays at 1 of vocabulary in cross-entropy, at best.
TEST(Tasks, ACopyIsLearntRowByRow) {
  CopyOptions task;
  task.length = 8;
  task.distance = 2;
  task.vocabulary = 4;
  task.n_train = 1024;
  task.n_val = task.n_test = 64;
  TrainerOptions options;
  auto& model = static_cast<DecoderOptions&>(options.model.find("decoder"));
  options.model.kind = "decoder";
  model.d_model = 32;
  model.position_size = 8;
  options.train.steps = 200;
  options.train.batch_size = 32;
  options.train.eval_every = 200;
  options.optim.adamw.lr = 3e-3;
  const auto data = task.open({.seed = 1});
  Recorder recorder;
  Trainer(options, *data, 1, recorder).run();
  EXPECT_GT(last(recorder.content(), "test", "accuracy"), 0.95);
  const Predictions& tested = recorder.content().predictions.at("test");
  EXPECT_EQ(tested.target.size(), 64U * 6U);  // the first two rows of eight ask for nothing
  EXPECT_EQ(*std::min_element(tested.position.begin(), tested.position.end()), 2);
}

// Retrieval examples as they are, or with the pairs in reverse order.
class Pairs final : public Dataset {
 public:
  Pairs(const Dataset& data, bool reversed) : data_(data), reversed_(reversed) {}
  RowSpec::Kind row_kind() const override { return data_.row_kind(); }
  Index vocabulary() const override { return data_.vocabulary(); }
  const std::vector<std::string>& class_names() const override { return data_.class_names(); }
  Index n_examples(Split split) const override { return data_.n_examples(split); }
  Example example(Split split, Index i) const override { return data_.example(split, i); }
  std::string sha256() const override { return data_.sha256(); }
  void write(Split split, Index i, const ExampleRows& out) const override {
    data_.write(split, i, out);
    const Index n_pairs = (example(split, i).n_tokens() - 1) / 2;
    for (Index p = 0; reversed_ && p < n_pairs / 2; ++p)
      std::swap_ranges(out.tokens + 2 * p, out.tokens + 2 * p + 2,
                       out.tokens + 2 * (n_pairs - 1 - p));
  }

 private:
  const Dataset& data_;
  bool reversed_;
};

// Full attention without positions sees a set of rows. Sums over keys change their order: 2e-5.
TEST(Tasks, WithoutPositionsTheOrderOfPairsSaysNothing) {
  RetrievalOptions task;
  task.n_test = 32;
  const auto data = task.open({.seed = 1});
  const Pairs plain(*data, false), reversed(*data, true);
  const auto outputs = [&](const Dataset& of, Position position) {
    EncoderModelOptions model;
    model.position = position;
    LearnerOptions options;
    options.model = &model;
    Learner<float> learner(options, of.spec(), 7);
    Batch batch;
    return predict(learner, of, Split::test, {.batch_size = 8}, batch).output;
  };
  const auto distance = [&](Position position) {
    const auto a = outputs(plain, position), b = outputs(reversed, position);
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return most;
  };
  EXPECT_LT(distance(Position::none), 2e-5);
  EXPECT_GT(distance(Position::learned), 1e-3);
}

}  // namespace
}  // namespace attune
