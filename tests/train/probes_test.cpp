// Probes measure what their headers say, and change nothing.
#include "train/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "datasets/phantoms.h"
#include "kernels/attention/parts.h"
#include "kernels/parallel.h"
#include "nn/transformer.h"
#include "tests/storage/sample.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace attune {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// Two layers of two heads, dropout on, a class token in front of each image.
class ProbesTest : public testing::Test {
 protected:
  ProbesTest() : vit(static_cast<VitOptions&>(options.model.find("vit"))) {
    options.model.kind = "vit";
    vit.patch = 16;
    vit.d_model = 8;
    vit.n_layers = 2;
    vit.n_heads = 2;
    vit.pool = Pool::cls;
    vit.dropout = vit.attention.dropout = 0.1;
    options.train.steps = 7;
    options.train.batch_tokens = 300;
    options.train.eval_every = 3;
    PhantomsOptions phantoms;
    phantoms.n_train = 32;
    phantoms.n_val = 12;
    phantoms.n_test = 9;
    data = phantoms.open({vit.patch, 0});
  }

  ProbesOptions every(Index n) const {
    ProbesOptions all;
    all.gradient_norms.emplace().every = n;
    all.update_ratios.emplace().every = n;
    all.residual_norms.emplace().every = n;
    all.attention_entropy.emplace().every = n;
    all.max_logit.emplace().every = n;
    all.attention_maps.emplace().steps = {"first", "3", "last"};
    all.attention_maps->examples.choose = AttentionMapsOptions::Examples::Choose::per_label;
    return all;
  }

  RunContent run(int threads = 1) const {
    Recorder recorder;
    kernels::Threads(threads).run([&] { Trainer(options, *data, 5, recorder).run(); });
    return recorder.content();
  }
  const ProbeTable& table(const RunContent& content, const std::string& name) const {
    for (const ProbeTable& t : content.probes)
      if (t.name == name) return t;
    throw DataError("no probe " + name);
  }

  // The parameters as the seed makes them, to be set at will and looked at without training.
  Learner<float>& learner() {
    if (!learner_) learner_ = std::make_unique<Learner<float>>(options.learner(), data->spec(), 5);
    return *learner_;
  }
  ProbeSubject subject() { return {learner(), *data, vit, &steps}; }
  View<float> value(const std::string& name) {
    for (const ParameterId id : learner().registry().by_name())
      if (learner().registry()[id].name == name) return learner().value(id);
    throw DataError("no parameter " + name);
  }
  void clear(const std::string& part) {
    for (int block = 0; block < vit.n_layers; ++block) {
      const View<float> x = value(fmt::format("encoder.block{}.{}", block, part));
      std::fill(x.begin(), x.end(), 0.0F);
    }
  }
  Index rows(Split split, Index i) const { return data->example(split, i).n_tokens() + 1; }

  TrainerOptions options;
  VitOptions& vit;
  std::unique_ptr<Dataset> data;
  Index steps = 0;  // of learner()

 private:
  std::unique_ptr<Learner<float>> learner_;
};

std::string bytes_of(const RunContent& content) {
  return run_file_bytes(sample_trial(), content, "build");
}

// Each alone and all together.
TEST_F(ProbesTest, ChangeNothingButTheirOwnTables) {
  const std::string without = bytes_of(run());
  const ProbesOptions all = every(2);
  std::vector<ProbesOptions> cases(7);
  cases[0].gradient_norms = all.gradient_norms;
  cases[1].update_ratios = all.update_ratios;
  cases[2].residual_norms = all.residual_norms;
  cases[3].attention_entropy = all.attention_entropy;
  cases[4].max_logit = all.max_logit;
  cases[5].attention_maps = all.attention_maps;
  cases[6] = all;
  for (const ProbesOptions& probes : cases) {
    options.probes = probes;
    RunContent content = run();
    EXPECT_EQ(content.probes.size(), &probes == &cases[6] ? 6U : 1U);
    for (const ProbeTable& t : content.probes) EXPECT_GE(t.dimensions[0].size(), 3) << t.name;
    content.probes.clear();
    EXPECT_EQ(bytes_of(content), without);
  }
}

TEST_F(ProbesTest, HaveTheSameBytesForAnyNumberOfThreads) {
  options.probes = every(3);
  const std::string one = bytes_of(run(1));
  EXPECT_EQ(bytes_of(run(2)), one);
  EXPECT_EQ(bytes_of(run(3)), one);
}

// Gradients and updates belong to a step, of which the last is one less than the number of steps.
TEST_F(ProbesTest, AreDueAtTheFirstEveryNthAndTheLastStep) {
  options.probes = every(3);
  const RunContent content = run();
  for (const char* name : {"gradient_norms", "update_ratios"})
    EXPECT_THAT(table(content, name).dimensions[0].numbers, ElementsAre(0, 3, 6)) << name;
  for (const char* name : {"residual_norms", "attention_entropy", "max_logit"})
    EXPECT_THAT(table(content, name).dimensions[0].numbers, ElementsAre(0, 3, 6, 7)) << name;
  EXPECT_THAT(table(content, "attention_maps").dimensions[0].numbers, ElementsAre(0, 3, 7));
}

TEST_F(ProbesTest, AreDeclaredBeforeTheFirstStep) {
  options.probes = every(3);
  StopRequest stop;
  stop.request(ExitCode::run_again);
  Recorder recorder({}, &stop);
  EXPECT_THROW(Trainer(options, *data, 5, recorder).run(), InterruptedError);
  const std::vector<ProbeInfo> listed = listed_probes();
  ASSERT_EQ(recorder.content().probes.size(), listed.size());
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const ProbeTable& t = recorder.content().probes[i];
    EXPECT_EQ(t.name, listed[i].name);
    EXPECT_FALSE(t.comment.empty());
    ASSERT_EQ(t.dimensions.size(), listed[i].dimensions.size());
    for (std::size_t d = 0; d < t.dimensions.size(); ++d) {
      EXPECT_EQ(t.dimensions[d].name, listed[i].dimensions[d]);
      EXPECT_TRUE(d == 0 || t.dimensions[d].size() > 0) << t.name;
    }
    for (std::size_t q = 0; q < t.quantities.size(); ++q)
      EXPECT_EQ(t.quantities[q].units, listed[i].quantities[q].units);
  }
}

// What the run file's own parameters say, decay included.
TEST_F(ProbesTest, UpdateRatiosAreDifferencesOfTheSavedParameters) {
  options.train.steps = 3;
  options.optim.adamw.weight_decay = 0.5;
  options.optim.adamw.clip_norm = 0.01;
  options.results.save_parameters = {"initial", "1", "2", "last"};
  options.probes.update_ratios.emplace().every = 1;
  const RunContent content = run();
  const ProbeTable& t = table(content, "update_ratios");
  EXPECT_THAT(t.dimensions[0].numbers, ElementsAre(0, 1, 2));
  const std::size_t n = t.dimensions[1].words.size();
  ASSERT_EQ(n, content.weights[0].tensors.size());
  for (std::size_t step = 0; step < 3; ++step) {
    for (std::size_t p = 0; p < n; ++p) {
      const NamedTensor &before = content.weights[step].tensors[p],
                        &after = content.weights[step + 1].tensors[p];
      ASSERT_EQ(before.name, t.dimensions[1].words[p]);
      double moved = 0, size = 0;
      for (std::size_t i = 0; i < before.values.size(); ++i) {
        moved += std::pow(double(after.values[i]) - double(before.values[i]), 2);
        size += std::pow(double(before.values[i]), 2);
      }
      const std::size_t at = step * n + p;
      EXPECT_NEAR(t.quantities[1].values[at], std::sqrt(moved), 1e-12 * std::sqrt(moved));
      EXPECT_NEAR(t.quantities[2].values[at], std::sqrt(size), 1e-12 * std::sqrt(size));
      if (size > 0) {
        EXPECT_NEAR(t.quantities[0].values[at], std::sqrt(moved / size), 1e-12);
      } else {
        EXPECT_FALSE(std::isfinite(t.quantities[0].values[at]));
      }
    }
  }
}

// Σ over blocks and the rest is the norm that the training series has.
TEST_F(ProbesTest, GradientNormsArePartsOfTheWholeNorm) {
  options.probes.gradient_norms.emplace().every = 1;
  const RunContent content = run();
  const ProbeTable& t = table(content, "gradient_norms");
  const std::vector<double>& whole = content.metrics.at("train").values[2];
  for (std::size_t step = 0; step < whole.size(); ++step) {
    double blocks = 0;
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const auto of = [&](std::size_t q) { return t.quantities[q].values[2 * step + layer]; };
      blocks += std::pow(of(0), 2);
      EXPECT_LT(std::pow(of(1), 2) + std::pow(of(2), 2), std::pow(of(0), 2));  // norms are neither
    }
    EXPECT_LT(std::sqrt(blocks), whole[step]);
    EXPECT_GT(blocks, 0);
  }
}

// Scores of zero give every key the same weight, whatever the normaliser: H = log n.
TEST_F(ProbesTest, UniformWeightsHaveTheEntropyLogN) {
  clear("attention.wq");
  clear("attention.bq");
  using kernels::Normaliser;
  using kernels::Pattern;
  for (const Normaliser normaliser :
       {Normaliser::softmax, Normaliser::sparsemax, Normaliser::entmax15}) {
    for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
      vit.attention.normaliser = normaliser;
      vit.attention.pattern = pattern;
      Learner<float> built(options.learner(), data->spec(), 5);  // of these settings
      std::copy(learner().values().begin(), learner().values().end(), built.values().begin());
      AttentionEntropyOptions probe;
      probe.count = 5;
      const auto row = probe.make({built, *data, vit, &steps})->at_state(0);
      ASSERT_TRUE(row);
      double entropy = 0, queries = 0;
      for (Index i = 0; i < 5; ++i) {
        const Index n = rows(Split::val, i);
        for (Index query = 0; query < n; ++query)
          entropy += std::log(double(pattern == Pattern::causal ? query + 1 : n));
        queries += double(n);
      }
      for (std::size_t at = 0; at < 4; ++at) {
        EXPECT_NEAR((*row)[at], entropy / queries, 1e-6);
        EXPECT_NEAR((*row)[4 + at], 1, 1e-6);  // causal: without the queries of one key
      }
    }
  }
}

TEST_F(ProbesTest, OneKeptKeyHasNoEntropy) {
  vit.attention.select = kernels::Select::top_k;
  vit.attention.k = 1;
  const std::vector<double> row = *AttentionEntropyOptions().make(subject())->at_state(0);
  EXPECT_THAT(row, Each(0.0));
  vit.attention.k = 2;  // read when the layer is made
  Learner<float> two(options.learner(), data->spec(), 5);
  const std::vector<double> some =
      *AttentionEntropyOptions().make({two, *data, vit, &steps})->at_state(0);
  EXPECT_THAT(some, Each(testing::AllOf(testing::Gt(0), testing::Le(std::log(2.0)))));
}

// Of the second block, from its input and the model's own parameters, by plain loops in double.
TEST_F(ProbesTest, MapsAndLargestLogitsAreThoseOfPlainLoops) {
  AttentionMapsOptions maps;
  maps.steps = {"first"};
  maps.examples.count = 3;
  maps.examples.split = Split::val;
  maps.layers = {1};
  MaxLogitOptions logits;
  logits.count = 3;
  const auto weights = *maps.make(subject())->at_state(0),
             largest = *logits.make(subject())->at_state(0);
  const Index longest = maps.longest(vit, *data).queries, d = vit.d_model, width = d / 2;
  EXPECT_EQ(longest, std::max({rows(Split::val, 0), rows(Split::val, 1), rows(Split::val, 2)}));
  std::vector<double> top(2, -1e300);
  Look look(subject(), Split::val, {0, 1, 2});
  const std::string block = "encoder.block1.";
  look.each([&](std::size_t e, const Tape<float>& tape, const Capture<float>& seen) {
    const View<const float> x = tape.value(seen.blocks[1].input);
    const Index n = x.dim(0);
    ASSERT_EQ(n, rows(Split::val, static_cast<Index>(e)));
    std::vector<std::vector<double>> q, k;
    for (Index i = 0; i < n; ++i) {
      std::vector<double> row(x.row(i), x.row(i) + d), normed;
      double mean = 0, variance = 0;
      for (const double v : row) mean += v / double(d);
      for (const double v : row) variance += (v - mean) * (v - mean) / double(d);
      for (Index c = 0; c < d; ++c)
        normed.push_back((row[std::size_t(c)] - mean) / std::sqrt(variance + 1e-5) *
                             value(block + "norm1.gain")[c] +
                         value(block + "norm1.bias")[c]);
      for (auto& [to, w, b] : {std::tuple{&q, "wq", "bq"}, {&k, "wk", "bk"}}) {
        std::vector<double> y;
        for (Index r = 0; r < d; ++r) {
          double sum = value(block + "attention." + b)[r];
          for (Index c = 0; c < d; ++c)
            sum += value(block + "attention." + w)(r, c) * normed[std::size_t(c)];
          y.push_back(sum);
        }
        to->push_back(y);
      }
    }
    for (Index h = 0; h < 2; ++h) {
      for (Index i = 0; i < longest; ++i) {
        std::vector<double> s;
        double total = 0;
        for (Index j = 0; i < n && j < n; ++j) {
          double dot = 0;
          for (Index c = h * width; c < (h + 1) * width; ++c)
            dot += q[std::size_t(i)][std::size_t(c)] * k[std::size_t(j)][std::size_t(c)];
          s.push_back(dot / std::sqrt(double(width)));
          top[std::size_t(h)] = std::max(top[std::size_t(h)], s.back());
          total += std::exp(s.back());
        }
        for (Index j = 0; j < longest; ++j) {
          const double shown =
              weights[std::size_t(((Index(e) * 2 + h) * longest + i) * longest + j)];
          if (i < n && j < n) {
            ASSERT_NEAR(shown, std::exp(s[std::size_t(j)]) / total, 1e-6);
          } else {
            ASSERT_TRUE(std::isnan(shown));
          }
        }
      }
    }
  });
  for (std::size_t h = 0; h < 2; ++h) EXPECT_NEAR(largest[2 + h], top[h], 1e-5 * std::abs(top[h]));
}

// Of every kind of attention; rows of the linformer are over its k mixtures.
TEST_F(ProbesTest, RowsOfMapsSumToOneAndCausalOnesSeeNoLaterKey) {
  vit.pool = Pool::mean;
  for (const char* kind : {"exact", "linear", "performer", "linformer"}) {
    for (const bool causal : {false, true}) {
      if (causal && kind == std::string("linformer")) continue;
      vit.attention.kind = kind;
      vit.attention.pattern = causal ? AttentionPattern::causal : AttentionPattern::full;
      vit.attention.n_features = 16;
      vit.attention.k = 3;
      vit.attention.max_length = 64;
      Learner<float> built(options.learner(), data->spec(), 5);
      AttentionMapsOptions maps;
      maps.steps = {"last"};
      const auto probe = maps.make({built, *data, vit, &steps});
      const ProbeTable t = probe->table();
      const std::vector<double> weights = *probe->at_state(0);
      const Index keys = t.dimensions[5].size(), queries = t.dimensions[4].size();
      EXPECT_EQ(keys, kind == std::string("linformer") ? 3 : queries);
      for (std::size_t at = 0; at < weights.size() / std::size_t(keys); ++at) {
        const auto row = std::span(weights).subspan(at * std::size_t(keys), std::size_t(keys));
        const Index i = Index(at) % queries;
        const auto e = at / std::size_t(4 * queries);
        if (i >= t.labels[0].values[e]) {
          EXPECT_THAT(row, Each(testing::IsNan()));
          continue;
        }
        double sum = 0;
        for (const double w : row) sum += std::isnan(w) ? 0 : w;
        EXPECT_NEAR(sum, 1, 2e-6) << kind;
        for (Index j = i + 1; causal && j < t.labels[0].values[e]; ++j)
          EXPECT_EQ(row[std::size_t(j)], 0) << kind;
      }
    }
  }
}

// Labels take turns; ids are the dataset's; lengths count the class token.
TEST_F(ProbesTest, MapsNameTheirExamples) {
  AttentionMapsOptions maps;
  maps.examples.count = 4;
  maps.examples.choose = AttentionMapsOptions::Examples::Choose::per_label;
  const std::vector<Index> chosen = maps.chosen_examples(*data);
  ASSERT_EQ(chosen.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(data->example(Split::test, chosen[i]).label, Index(i % 2));
  const ProbeTable t = maps.make(subject())->table();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(t.dimensions[1].numbers[i], data->example(Split::test, chosen[i]).id);
    EXPECT_EQ(t.labels[0].values[i], rows(Split::test, chosen[i]));
  }
  maps.examples.count = 1000;
  EXPECT_EQ(maps.chosen_examples(*data).size(), 9U);
}

TEST_F(ProbesTest, ResidualNormsAreRootMeanSquaresOfTheStream) {
  ResidualNormsOptions probe;
  probe.count = 3;
  const std::vector<double> row = *probe.make(subject())->at_state(0);
  double squares = 0, elements = 0;
  Look(subject(), Split::val, {0, 1, 2})
      .each([&](std::size_t, const Tape<float>& tape, const Capture<float>& seen) {
        for (const float x : tape.value(seen.blocks[1].output)) squares += double(x) * double(x);
        elements += double(tape.value(seen.blocks[1].output).size());
      });
  EXPECT_NEAR(row[7], std::sqrt(squares / elements), 1e-6);
  EXPECT_EQ(row[6], row[1]);  // what leaves the first block enters the second
  for (const char* part : {"attention.wo", "attention.bo"}) clear(part);
  const std::vector<double> fed = *probe.make(subject())->at_state(0);
  for (const std::size_t layer : {0U, 1U}) {
    EXPECT_EQ(fed[2 + layer], 0);
    EXPECT_GT(fed[4 + layer], 0);
  }
  for (const char* part : {"mlp.w2", "mlp.b2"}) clear(part);
  const std::vector<double> silent = *probe.make(subject())->at_state(0);
  EXPECT_EQ(silent[0], row[0]);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_EQ(silent[i], i / 2 == 1 || i / 2 == 2 ? 0 : row[0]);
}

// A stream normalised behind each block, with gains of 1, has a root mean square of 1.
TEST_F(ProbesTest, APostNormStreamLeavesItsBlocksNormalised) {
  vit.norm = NormPlacement::post;
  const std::vector<double> row = *ResidualNormsOptions().make(subject())->at_state(0);
  for (const std::size_t at : {1U, 6U, 7U}) EXPECT_NEAR(row[at], 1, 1e-3);
}

TEST_F(ProbesTest, ModelsThatAreNoNumbersAreMeasuredAsSuch) {
  options.probes = every(1);
  options.optim.adamw.lr = 1e30;
  options.schedule.kind = "constant";
  const RunContent content = run();
  EXPECT_EQ(content.status, "diverged");
  EXPECT_EQ(bytes_of(content), bytes_of(run()));
  std::fill(learner().values().begin(), learner().values().end(), std::nanf(""));
  ProbesOptions all = every(1);
  EXPECT_THAT(*all.max_logit->make(subject())->at_state(0), Each(testing::IsNan()));
  EXPECT_THAT(*all.attention_entropy->make(subject())->at_state(0), Each(testing::IsNan()));
  EXPECT_THAT(*all.residual_norms->make(subject())->at_state(0), Each(testing::IsNan()));
  EXPECT_THAT(*all.attention_maps->make(subject())->at_state(0), Each(testing::IsNan()));
}

// 96 · 96 one-pixel patches: 8 bytes for 9217² pairs, for each of two heads, layers, ….
TEST_F(ProbesTest, MapsThatAreTooLargeAreRefusedWithTheirBytes) {
  PhantomsOptions phantoms;
  phantoms.min_side = phantoms.max_side = 96;
  phantoms.aspect = {1.0, 1.0};
  const auto large = phantoms.open({1, 0});
  AttentionMapsOptions maps;
  EXPECT_FALSE(maps.misfit(vit, *data));
  const auto complaint = maps.misfit(vit, *large);
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->key, "probes.attention_maps.examples.count");
  const Index n = maps.longest(vit, *large).queries;
  EXPECT_GT(n, 4000);
  EXPECT_THAT(complaint->message, HasSubstr(fmt::format("{} bytes", 8 * n * n * 2 * 2 * 4)));
}

}  // namespace
}  // namespace attune
