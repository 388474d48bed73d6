#include "datasets/pairs.h"

#include <algorithm>
#include <numeric>

#include "base/philox.h"
#include "datasets/decoded.h"

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

class Pairs final : public Dataset {
 public:
  Pairs(std::shared_ptr<const PairFile> file, SplitIndices parts)
      : file_(std::move(file)),
        class_names_(with_boundary(table().answer.vocabulary)),
        parts_(std::move(parts)) {}

  RowSpec::Kind row_kind() const override { return RowSpec::Kind::tokens; }
  Index vocabulary() const override { return static_cast<Index>(token_names().size()); }
  const std::vector<std::string>& token_names() const override { return table().input.vocabulary; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<RowSpec::Queries> queries() const override {
    return decoded_queries(n_answer_tokens());
  }
  std::string sha256() const override { return file_->sha256; }
  Index n_examples(Split split) const override {
    return static_cast<Index>(parts_[static_cast<std::size_t>(split)].size());
  }

  Example example(Split split, Index i) const override {
    const Index id = id_of(split, i);
    return {.id = id,
            .group = table().group[at(id)],
            .rows = table().input.n_tokens(id),
            .n_queries = table().answer.n_tokens(id) + 1};
  }

  void write(Split split, Index i, const ExampleRows& out) const override {
    const Index id = id_of(split, i);
    const auto input = table().input.sequence(id);
    if (out.tokens) std::copy(input.begin(), input.end(), out.tokens);
    write_answer(table().answer.sequence(id), n_answer_tokens(), out);
  }

 private:
  const PairTable& table() const { return file_->table; }
  Index n_answer_tokens() const { return static_cast<Index>(table().answer.vocabulary.size()); }
  Index id_of(Split split, Index i) const { return parts_[static_cast<std::size_t>(split)][at(i)]; }

  std::shared_ptr<const PairFile> file_;
  std::vector<std::string> class_names_;
  SplitIndices parts_;
};

std::string how_made(const std::optional<std::string>& path) {
  if (path && path->ends_with("cmudict.h5")) return "scripts/fetch_data cmudict makes it";
  return "attune import --kind pairs CSV -o FILE.h5 makes one";
}

// Which rows of the file are taken, ascending.
std::vector<Index> rows_taken(Index n_rows, const PairsOptions& options) {
  std::vector<Index> rows(at(n_rows));
  std::iota(rows.begin(), rows.end(), Index{0});
  const Index n = options.n.value_or(n_rows);
  const Stream stream(static_cast<std::uint64_t>(options.split.seed), "split", "subset");
  for (Index place = 0; options.n && place < n; ++place)
    std::swap(rows[at(place)],
              rows[at(place + stream.below(static_cast<std::uint32_t>(n_rows - place),
                                           static_cast<std::uint64_t>(place)))]);
  rows.resize(at(n));
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::int32_t> taken(const std::vector<std::int32_t>& column,
                                const std::vector<Index>& rows) {
  std::vector<std::int32_t> values;
  for (const Index row : rows)
    if (!column.empty()) values.push_back(column[at(row)]);
  return values;
}

}  // namespace

void PairsOptions::fields(FieldList& f) {
  f.path("file", file, Role::result, "dataset file of pairs of sequences, attune.dataset@1");
  f.integer("n", n, {1, 1e9}, Role::result, "pairs to take, drawn by split.seed; null: all");
  f.group("split", split, "which pairs are trained on, chosen on and tested on");
  f.rule([this] { return require_name(file); });
}

std::unique_ptr<Dataset> PairsOptions::open(const DataContext& context) const {
  auto opened = opened_.open(file, how_made(file), [&] {
    return std::make_shared<const PairFile>(read_pair_file(*file));
  });
  const PairTable& table = opened->table;
  if (n.value_or(1) > table.size())
    throw KeyedDataError(
        {"data.n",
         fmt::format("data.n={} pairs cannot be had of the {} in {}", *n, table.size(), *file),
         fmt::format("Set data.n to at most {}, or to null for all", table.size()),
         {}});
  const std::vector<Index> rows = rows_taken(table.size(), *this);
  // Pairs have no classes: all are of one.
  const std::vector<std::int32_t> label(rows.size(), 0), group = taken(table.group, rows),
                                                         given = taken(table.split, rows);
  SplitIndices parts = split_examples({label, group, given}, split, {"pair"}, context.fold);
  for (std::vector<Index>& part : parts)
    for (Index& place : part) place = rows[at(place)];
  return std::make_unique<Pairs>(std::move(opened), std::move(parts));
}

std::unique_ptr<Dataset> PairsOptions::open_other(const std::string& path, Index,
                                                  const TrainedOn& trained) const {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, how_made(path));
  auto other = std::make_shared<PairFile>(read_pair_file(path));
  PairTable& table = other->table;
  renumber_tokens(table.input, trained.token_names, path);
  renumber_tokens(table.answer, {trained.class_names.begin(), trained.class_names.end() - 1}, path,
                  "answer_");
  SplitIndices parts;
  auto& all = parts[static_cast<std::size_t>(Split::test)];
  all.resize(at(table.size()));
  std::iota(all.begin(), all.end(), Index{0});
  return std::make_unique<Pairs>(std::move(other), std::move(parts));
}

}  // namespace attune
