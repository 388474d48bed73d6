#include "experiments/baseline.h"

#include <array>

#include "datasets/resize.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"
#include "train/logistic.h"
#include "train/metrics.h"
#include "train/neighbours.h"

namespace attune {
namespace {

using Name = BaselineOptions::Name;

constexpr Index kSide = 32;
constexpr double kPenalties[] = {10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001};

// A split as a baseline sees it.
struct Part {
  Features features;
  std::vector<std::int32_t> target;
  Predictions predictions;  // all but the outputs
};

Features empty_features(Index n, Index d) {
  return {n, d, std::vector<double>(static_cast<std::size_t>(n * d))};
}

Features pixels(const ImageDataset& data, Split split) {
  Features x = empty_features(data.n_examples(split), kSide * kSide);
  constexpr double kImage = 1e6;  // ns, decoding included
  kernels::parallel_for("read_images", x.n, kImage * static_cast<double>(x.n), [&](Index i) {
    const ImageSize size = data.image_size(split, i);
    Scratch scratch;
    const auto native = scratch.view<float>({size.height, size.width});
    const auto small = scratch.view<float>({kSide, kSide});
    data.read_image(split, i, native);
    resize(native, small);
    for (Index j = 0; j < x.d; ++j) x.column(j)[i] = static_cast<double>(small[j]);
  });
  return x;
}

Features log_sizes(const ImageDataset& data, Split split) {
  Features x = empty_features(data.n_examples(split), 2);
  for (Index i = 0; i < x.n; ++i) {
    const ImageSize size = data.image_size(split, i);
    x.column(0)[i] = kernels::log(static_cast<double>(size.height));
    x.column(1)[i] = kernels::log(static_cast<double>(size.width));
  }
  return x;
}

// h, w → h, w, h², h·w, w².
Features with_products(const Features& x) {
  Features all = empty_features(x.n, 5);
  for (Index i = 0; i < x.n; ++i) {
    const double h = x.column(0)[i], w = x.column(1)[i];
    const double values[] = {h, w, h * h, h * w, w * w};
    for (Index j = 0; j < all.d; ++j) all.column(j)[i] = values[j];
  }
  return all;
}

using Parts = std::array<Part, 3>;

Part& part_of(Parts& parts, Split split) { return parts[static_cast<std::size_t>(split)]; }

void standardise(Parts& parts) {
  const Standardiser standardiser(part_of(parts, Split::train).features);
  for (Part& part : parts) standardiser.apply(part.features);
}

Parts read_parts(const ImageDataset& data, Name name) {
  Parts parts;
  for (const Split split : kSplits) {
    Part& part = part_of(parts, split);
    for (Index i = 0; i < data.n_examples(split); ++i) {
      const Example e = data.example(split, i);
      part.target.push_back(static_cast<std::int32_t>(e.label));
      part.predictions.example.push_back(e.id);
      part.predictions.group.push_back(e.group);
      part.predictions.target.push_back(e.label);
    }
    part.features = name == Name::size_only ? log_sizes(data, split) : pixels(data, split);
  }
  standardise(parts);
  if (name != Name::size_only) return parts;
  for (Part& part : parts) part.features = with_products(part.features);
  standardise(parts);
  return parts;
}

Scored scored(const Part& part, Index n_classes, std::vector<float> logits) {
  return {n_classes, std::move(logits), part.predictions.target};
}

Scored scored(const Part& part, const LogisticModel& model) {
  const std::vector<double> logits = model.logits(part.features);
  return scored(part, model.n_classes, {logits.begin(), logits.end()});
}

// What a baseline says of validation and test examples, and how it was chosen.
struct Answer {
  Scored val, test;
  std::string how;
};

Answer logistic(Parts& parts, Index n_classes) {
  const Part& train = part_of(parts, Split::train);
  LogisticModel model = zero_model(n_classes, train.features.d), best;
  double least = 0, penalty = 0;
  for (const double lambda : kPenalties) {  // each begins where the last one ended
    model = fit_logistic(train.features, train.target, lambda, std::move(model));
    const double loss = *classification_metric("loss", scored(part_of(parts, Split::val), model));
    if (penalty > 0 && !(loss < least)) continue;
    least = loss;
    penalty = lambda;
    best = model;
  }
  return {scored(part_of(parts, Split::val), best), scored(part_of(parts, Split::test), best),
          fmt::format("L2 penalty {}, of least val/loss", penalty)};
}

Answer neighbours(Parts& parts, Index n_classes, Index k) {
  const Part& train = part_of(parts, Split::train);
  const auto vote = [&](Split split) {
    const Part& part = part_of(parts, split);
    return scored(part, n_classes,
                  nearest_neighbours(train.features, train.target, n_classes, k, part.features));
  };
  return {vote(Split::val), vote(Split::test), fmt::format("{} nearest neighbours", k)};
}

void record(Recorder& recorder, Parts& parts, const Dataset& data, Split split,
            const Scored& answer, const std::string& how) {
  const std::string name(name_of(split));
  const std::vector<MetricInfo> metrics = available_metrics(data, split);
  if (metrics.empty()) return;
  std::vector<double> row;
  for (const MetricInfo& m : metrics) {
    row.push_back(classification_metric(m.name, answer).value());
    recorder.content().final.push_back({name, m.name, row.back(), m.units, m.goal, how});
  }
  recorder.row(name, 0, row);
  Predictions& p = recorder.content().predictions[name];
  p = part_of(parts, split).predictions;
  p.n_outputs = answer.n_classes;
  p.output = answer.logits;
}

}  // namespace

void BaselineOptions::fields(FieldList& f) {
  f.choice("name", name,
           {{"pixels_logistic", Name::pixels_logistic},
            {"size_only", Name::size_only},
            {"nearest_neighbours", Name::nearest_neighbours}},
           Role::result,
           "logistic regression on 32 x 32 gray pixels; the same on height and width alone; or "
           "the k nearest training images");
  f.integer("k", k, {1, 1000}, Role::result, "neighbours that vote, by nearest_neighbours");
}

void BaselineKind::fields(FieldList& f) {
  f.variant("data", data_.kind, data_.source_alternatives(), "what is learnt from");
  f.group("baseline", baseline_, "which classifier");
  metrics_.fields(f);
}

std::string BaselineKind::data_sha256(Index seed, std::optional<Index> fold) const {
  const std::unique_ptr<Dataset> data = data_.open({.seed = seed, .fold = fold});
  if (!data->images())
    throw KeyedDataError(
        {"baseline.name",
         fmt::format("baselines see images, and data.kind={} has none", data_.kind),
         "Leave baselines out, and compare with model.kind=linear or mlp",
         {}});
  if (baseline_.name == Name::nearest_neighbours) {
    if (const Index n = data->n_examples(Split::train); baseline_.k > n)
      throw KeyedDataError(
          {"baseline.k",
           fmt::format("baseline.k={} neighbours are more than the {} training examples",
                       baseline_.k, n),
           fmt::format("Set it to at most {}", n),
           {}});
  } else if (data->n_examples(Split::val) == 0) {
    throw KeyedDataError({"baseline.name",
                          "a logistic regression chooses its L2 penalty on validation examples, "
                          "and the val split is empty",
                          "Give it some (data.split.val, or data.n_val of phantoms)",
                          {}});
  }
  require_metrics("metrics", metrics_.shown, *data, fold);
  return data->sha256();
}

void BaselineKind::run(const Trial& trial, const KindOptions& options, RunContext& context) {
  const auto& self = static_cast<const BaselineKind&>(options);
  const std::unique_ptr<Dataset> data = self.data_.open({.seed = trial.seed, .fold = trial.fold});
  Recorder& recorder = context.recorder;
  for (const Split split : {Split::val, Split::test})
    recorder.declare(std::string(name_of(split)), available_metrics(*data, split));
  recorder.content().class_names = data->class_names();
  recorder.restore();
  context.threads.run([&] {
    const Name name = self.baseline_.name;
    Parts parts = read_parts(*data->images(), name);
    const Answer answer = name == Name::nearest_neighbours
                              ? neighbours(parts, data->n_classes(), self.baseline_.k)
                              : logistic(parts, data->n_classes());
    record(recorder, parts, *data, Split::val, answer.val, answer.how);
    record(recorder, parts, *data, Split::test, answer.test, answer.how);
  });
}

const Kind baseline_kind{
    "baseline", "a classifier without attention, to be compared with: pixels, size, or neighbours",
    [] { return std::unique_ptr<KindOptions>(std::make_unique<BaselineKind>()); },
    &BaselineKind::run};

}  // namespace attune
