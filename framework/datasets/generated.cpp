#include "datasets/generated.h"

#include <numeric>

#include "base/hash.h"
#include "kernels/random.h"
#include "tensor/arena.h"

namespace attune {
namespace {

// Of the options and the seed in use, so that redrawn examples are other data.
std::string hash_of(const std::string& task, GeneratedOptions& options, Index seed) {
  Sha256 hash;
  hash.update("attune " + task + " 1\n");
  FieldList list;
  options.fields(list);
  for (const ConfigLeaf& leaf : leaves(list))
    if (leaf.key != "seed") hash.update(leaf.key + "=" + to_text(leaf.value) + "\n");
  hash.update(fmt::format("seed={}\n", seed));
  return hash.hex();
}

}  // namespace

void GeneratedOptions::fields(FieldList& f) {
  f.integer("n_train", n_train, {1, 1e8}, Role::result, "training examples");
  f.integer("n_val", n_val, {0, 1e8}, Role::result, "validation examples");
  f.integer("n_test", n_test, {0, 1e8}, Role::result, "test examples");
  f.integer("seed", seed, {0, 4e9}, Role::result, "of the examples; null: the run's seed");
}

std::unique_ptr<Dataset> GeneratedOptions::open_other(const std::string& path, Index,
                                                      const TrainedOn&) const {
  throw DataError(
      fmt::format("{}: the model was trained on generated data, which no file holds. Its own test "
                  "examples are measured in the run file",
                  path));
}

double Draws::normal() {
  next_ += next_ % 2;  // the even one of a pair
  const double z = kernels::normal(stream_, next_, i_, split_);
  next_ += 2;
  return z;
}

void Draws::choose(Index k, View<Index> items) {
  std::iota(items.begin(), items.end(), Index{0});
  for (Index place = 0; place < k; ++place)
    std::swap(items[place], items[place + below(items.size() - place)]);
}

Generated::Generated(const std::string& task, GeneratedOptions& options, const DataContext& context,
                     RowSpec spec, std::vector<std::string> class_names)
    : spec_(spec),
      class_names_(std::move(class_names)),
      sizes_{options.n_train, options.n_val, options.n_test} {
  const Index seed = options.seed.value_or(context.seed);
  stream_ = Stream(static_cast<std::uint64_t>(seed), "data", task);
  labels_ = Stream(static_cast<std::uint64_t>(seed), "data", task + ".label");
  sha256_ = hash_of(task, options, seed);
}

Index Generated::label(Split split, Index i) const {
  const Index block = i / n_classes();
  Draws shuffle(labels_, split, block);
  Scratch scratch;
  const auto order = scratch.view<Index>({n_classes()});
  shuffle.choose(n_classes(), order);
  return order[i % n_classes()];
}

std::vector<std::string> numbered(Index n, const std::string& prefix) {
  std::vector<std::string> names;
  for (Index i = 0; i < n; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

}  // namespace attune
