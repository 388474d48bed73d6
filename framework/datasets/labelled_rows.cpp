#include "datasets/labelled_rows.h"

#include <algorithm>
#include <numeric>

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Which examples of a file are in which split, and what class each is of.
struct Reading {
  std::vector<std::string> class_names;
  std::vector<Index> label;  // of each example of the file, a place in class_names
  SplitIndices parts;
};

Reading split_of(const ExampleColumns& columns, const SplitOptions& split,
                 std::optional<Index> fold) {
  return {columns.class_names,
          {columns.label.begin(), columns.label.end()},
          split_examples({columns.label, columns.group, columns.split}, split, columns.class_names,
                         fold)};
}

Reading all_tested(const std::string& path, const ExampleColumns& columns, const char* what,
                   const TrainedOn& trained) {
  Reading reading{
      trained.class_names, labels_by_name(path, columns, trained.class_names, what), {}};
  auto& all = reading.parts[static_cast<std::size_t>(Split::test)];
  all.resize(columns.label.size());
  std::iota(all.begin(), all.end(), Index{0});
  return reading;
}

// What sequences and vectors have in common.
class LabelledRows : public Dataset {
 public:
  const std::vector<std::string>& class_names() const final { return reading_.class_names; }
  Index n_examples(Split split) const final {
    return static_cast<Index>(reading_.parts[static_cast<std::size_t>(split)].size());
  }
  Example example(Split split, Index i) const final {
    const Index id = id_of(split, i);
    return {id, columns().group[at(id)], reading_.label[at(id)], n_rows(id), 1};
  }

 protected:
  explicit LabelledRows(Reading reading) : reading_(std::move(reading)) {}
  Index id_of(Split split, Index i) const {
    return reading_.parts[static_cast<std::size_t>(split)][at(i)];
  }
  virtual const ExampleColumns& columns() const = 0;
  virtual Index n_rows(Index id) const = 0;

 private:
  Reading reading_;
};

class Sequences final : public LabelledRows {
 public:
  Sequences(std::shared_ptr<const TokenFile> file, Reading reading)
      : LabelledRows(std::move(reading)), file_(std::move(file)) {}

  RowSpec::Kind row_kind() const override { return RowSpec::Kind::tokens; }
  Index vocabulary() const override { return static_cast<Index>(token_names().size()); }
  const std::vector<std::string>& token_names() const override { return file_->table.vocabulary; }
  std::string sha256() const override { return file_->sha256; }
  void write(Split split, Index i, const ExampleRows& out) const override {
    const Index id = id_of(split, i);
    const std::int32_t* tokens = file_->table.tokens.data() + file_->table.offsets[at(id)];
    if (out.tokens) std::copy_n(tokens, n_rows(id), out.tokens);
  }

 private:
  const ExampleColumns& columns() const override { return file_->table; }
  Index n_rows(Index id) const override { return file_->table.n_tokens(id); }
  std::shared_ptr<const TokenFile> file_;
};

class Vectors final : public LabelledRows {
 public:
  Vectors(std::shared_ptr<const VectorFile> file, Reading reading)
      : LabelledRows(std::move(reading)), file_(std::move(file)) {}

  RowSpec::Kind row_kind() const override { return RowSpec::Kind::vectors; }
  Index width() const override { return file_->table.width; }
  std::string sha256() const override { return file_->sha256; }
  void write(Split split, Index i, const ExampleRows& out) const override {
    const float* x = file_->table.x.data() + id_of(split, i) * width();
    if (out.values) std::copy_n(x, width(), out.values);
  }

 private:
  const ExampleColumns& columns() const override { return file_->table; }
  Index n_rows(Index) const override { return 1; }
  std::shared_ptr<const VectorFile> file_;
};

constexpr const char* kHowTokens = "attune import --kind tokens CSV -o FILE.h5 makes one";
constexpr const char* kHowVectors = "attune import --kind vectors CSV -o FILE.h5 makes one";

template <class Options>
void fields_of(Options& options, FieldList& f, const char* doc) {
  f.path("file", options.file, Role::result, doc);
  f.group("split", options.split, "which examples are trained on, chosen on and tested on");
  f.rule([&options] { return require_name(options.file); });
}

}  // namespace

void TokensOptions::fields(FieldList& f) {
  fields_of(*this, f, "dataset file of labelled tokens, attune.dataset@1");
}

std::unique_ptr<Dataset> TokensOptions::open(const DataContext& context) const {
  auto opened = opened_.open(
      file, kHowTokens, [&] { return std::make_shared<const TokenFile>(read_token_file(*file)); });
  if (opened->table.label.empty())
    throw KeyedDataError({"data.kind",
                          fmt::format("the sequences of {} have no /label to learn", *file),
                          "Set data.kind=text, which learns what comes next, or import them with "
                          "a column of labels",
                          {}});
  require_every_class(*file, opened->table, "sequence");
  Reading reading = split_of(opened->table, split, context.fold);
  return std::make_unique<Sequences>(std::move(opened), std::move(reading));
}

std::unique_ptr<Dataset> TokensOptions::open_other(const std::string& path, Index,
                                                   const TrainedOn& trained) const {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, kHowTokens);
  auto other = std::make_shared<TokenFile>(read_token_file(path));
  ATTUNE_CHECK(!other->table.label.empty(), DataError,
               "{}: its sequences have no /label to compare with", path);
  renumber_tokens(other->table, trained.token_names, path);
  Reading reading = all_tested(path, other->table, "sequences", trained);
  return std::make_unique<Sequences>(std::move(other), std::move(reading));
}

void VectorsOptions::fields(FieldList& f) {
  fields_of(*this, f, "dataset file of vectors, attune.dataset@1");
}

std::unique_ptr<Dataset> VectorsOptions::open(const DataContext& context) const {
  auto opened = opened_.open(file, kHowVectors, [&] {
    return std::make_shared<const VectorFile>(read_vector_file(*file));
  });
  require_every_class(*file, opened->table, "vector");
  Reading reading = split_of(opened->table, split, context.fold);
  return std::make_unique<Vectors>(std::move(opened), std::move(reading));
}

std::unique_ptr<Dataset> VectorsOptions::open_other(const std::string& path, Index,
                                                    const TrainedOn& trained) const {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, kHowVectors);
  auto other = std::make_shared<const VectorFile>(read_vector_file(path));
  ATTUNE_CHECK(other->table.width == trained.width, DataError,
               "{}: its vectors have {} values, the model was trained on {}", path,
               other->table.width, trained.width);
  Reading reading = all_tested(path, other->table, "vectors", trained);
  return std::make_unique<Vectors>(std::move(other), std::move(reading));
}

}  // namespace attune
