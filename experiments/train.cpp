#include "experiments/train.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "train/evaluate.h"

namespace attune {

void TrainKind::fields(FieldList& f) {
  f.variant("data", data_.kind, data_.alternatives(), "what is learnt from");
  f.variant("model", trainer_.model.kind, trainer_.model.alternatives(), "what learns");
  f.group("loss", trainer_.loss, "what training minimises");
  trainer_.optim.fields(f);
  trainer_.schedule.fields(f);
  f.group("train", trainer_.train, "how long, and on what batches");
  f.group("select", trainer_.select, "which step's parameters are tested");
  metrics_.fields(f);
  f.group("probes", trainer_.probes, "what else is measured on the way; changes no bit of it");
  trainer_.probes.rules(f, trainer_.model);
  f.group("numerics", numerics_, "what happens to a run that diverges");
  f.group("checkpoint", trainer_.checkpoint, "how often a running trial is saved");
  f.group("results", trainer_.results, "what else the run file keeps");
}

namespace {

// Of one class there is nothing to tell apart, and every answer would be right.
void require_classes(const Dataset& data) {
  if (!data.one_target()) return;
  std::set<Index> labels;
  for (const Split split : kSplits)
    for (Index i = 0; i < data.n_examples(split) && labels.size() < 2; ++i)
      labels.insert(data.example(split, i).label);
  if (labels.size() >= 2) return;
  const std::string name =
      labels.empty() ? "" : data.class_names()[static_cast<std::size_t>(*labels.begin())];
  throw KeyedDataError({"data.file",
                        fmt::format("all examples are of one class ('{}'), and a classifier needs "
                                    "at least two",
                                    name),
                        "Import examples of another class, too",
                        {}});
}

}  // namespace

std::vector<std::string> TrainKind::recorded() const {
  std::vector<std::string> recorded = metric_paths();
  for (const char* more :
       {"train/grad_norm", "train/lr", "train/token_efficiency", "time/step", "memory/step"})
    recorded.emplace_back(more);
  return recorded;
}

std::unique_ptr<Dataset> TrainKind::open(Index seed, std::optional<Index> fold) const {
  return data_.open({trainer_.model.chosen().patch_side(), seed, fold});
}

std::string TrainKind::data_sha256(Index seed, std::optional<Index> fold) const {
  const std::unique_ptr<Dataset> data = open(seed, fold);
  require_classes(*data);
  Trainer::check(trainer_, *data);
  const auto& kept = trainer_.results.predictions;
  if (fold && std::find(kept.begin(), kept.end(), "test") == kept.end())
    throw KeyedDataError({"results.predictions",
                          "results.predictions leaves out test, and with folds a metric is one of "
                          "the test predictions of all folds together",
                          "Add test, or split without folds (data.split)",
                          {}});
  if (trainer_.select.how != SelectOptions::How::last)
    require_metrics("select.by", {trainer_.select.by}, *data, fold);
  if (const auto& stop = trainer_.train.stop)
    require_metrics("train.stop.metric", stop->metrics, *data, fold);
  require_metrics("metrics", metrics_.shown, *data, fold);
  return data->sha256();
}

void TrainKind::run(const Trial& trial, const KindOptions& options, RunContext& context) {
  const auto& self = static_cast<const TrainKind&>(options);
  const std::unique_ptr<Dataset> data = self.open(trial.seed, trial.fold);
  context.threads.run([&] {
    Trainer trainer(self.trainer_, *data, trial.seed, context.recorder, context.profile);
    trainer.run();
  });
  if (context.recorder.content().status == "diverged" &&
      self.numerics_.nan == NumericsOptions::Nan::stop_study)
    throw NumericError(fmt::format("{} diverged, and numerics.nan is stop_study", trial.stem()));
}

namespace {

// The parameters that a run is evaluated with.
const WeightSet& model_of(const RunFile& run, const ResultsOptions& results) {
  const RunContent& content = run.content;
  ATTUNE_CHECK(content.status != "diverged", DataError,
               "{} diverged after {} steps: it has no model to evaluate", run.path, content.steps);
  ATTUNE_CHECK(!results.save_parameters.empty(), DataError,
               "{} keeps no parameters. Set results.save_parameters: [chosen] and train it again",
               run.path);
  ATTUNE_CHECK(!content.weights.empty() && !content.class_names.empty(), DamagedError,
               "{}: has no {}, which its study kept: the file is damaged", run.path,
               content.weights.empty() ? "parameters under /weights" : "class_names");
  const auto& sets = content.weights;
  const auto chosen = std::find_if(sets.begin(), sets.end(),
                                   [](const WeightSet& set) { return set.which == "chosen"; });
  const WeightSet& weights = chosen == sets.end() ? sets.front() : *chosen;
  for (const NamedTensor& t : weights.tensors)
    ATTUNE_CHECK(
        std::all_of(t.values.begin(), t.values.end(), [](float x) { return std::isfinite(x); }),
        DamagedError, "{}: /weights/{} holds NaN or infinity: the file is damaged", run.path,
        t.name);
  return weights;
}

// What does not fit the run's own config is damage.
void load_own_weights(const WeightSet& weights, const RunFile& run, const Learner<float>& learner) {
  try {
    load_weights(weights, run.path, learner);
  } catch (const DataError& error) {
    throw DamagedError(fmt::format("{}: the file is damaged", error.what()));
  }
}

void require_numbers(const Predictions& p, const std::string& data_file) {
  for (std::size_t i = 0; i < p.output.size(); ++i)
    ATTUNE_CHECK(std::isfinite(p.output[i]), DataError,
                 "{}: the model's outputs for example {} are no numbers: its weights, or the "
                 "example's values, are too large",
                 data_file, p.example[i / static_cast<std::size_t>(p.n_outputs)]);
}

}  // namespace

Evaluation TrainKind::evaluate(const RunFile& run, const KindOptions& options,
                               const std::string& data_file, kernels::Threads& threads) {
  const auto& self = static_cast<const TrainKind&>(options);
  const RunContent& content = run.content;
  const WeightSet& weights = model_of(run, self.trainer_.results);
  const std::unique_ptr<Dataset> data = self.data_.open_other(
      data_file, self.trainer_.model.chosen().patch_side(),
      {content.class_names, content.gray, content.token_names, content.width, content.row_targets});
  Evaluation result{{}, data->sha256(), weights.which, weights.step};
  threads.run([&] {
    Learner<float> learner(self.trainer_.learner(), data->spec(), 0);
    load_own_weights(weights, run, learner);
    const std::vector<Index> lengths = data->lengths(Split::test);
    // Examples that are longer than any that it was trained on have a batch for themselves.
    const Index longest =
        lengths.empty() ? Index{0} : *std::max_element(lengths.begin(), lengths.end());
    const Index budget = std::max(longest, self.trainer_.train.batch_tokens);
    Batch batch;
    result.predictions = predict(learner, *data, Split::test, {budget, 0}, batch);
    require_numbers(result.predictions, data_file);
  });
  return result;
}

const Kind train_kind{
    "train", "trains a model from scratch, chooses a step on validation data, tests it once",
    [] { return std::unique_ptr<KindOptions>(std::make_unique<TrainKind>()); }, &TrainKind::run,
    &TrainKind::evaluate};

}  // namespace attune
