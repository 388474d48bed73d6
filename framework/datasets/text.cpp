#include "datasets/text.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// The windows of one document in one split.
struct Part {
  Index document;
  Index first, n_tokens;  // in /tokens
  Index first_window;     // among those of the split
};

class Text final : public Dataset {
 public:
  Text(std::shared_ptr<const TokenFile> file, Index block, double val, double test)
      : file_(std::move(file)), block_(block) {
    for (Index document = 0; document < table().size(); ++document) {
      const Index begin = table().offsets[at(document)], n = table().n_tokens(document);
      const auto cut = [&](double share) {
        return begin + static_cast<Index>(static_cast<double>(n) * share);
      };
      const std::array<Index, 4> cuts = {begin, cut(1 - val - test), cut(1 - test), begin + n};
      for (const Split split : kSplits) {
        const auto s = static_cast<std::size_t>(split);
        add(split, document, cuts[s], cuts[s + 1] - cuts[s]);
      }
    }
  }

  RowSpec::Kind row_kind() const override { return RowSpec::Kind::tokens; }
  Index vocabulary() const override { return n_classes(); }
  bool row_targets() const override { return true; }
  bool targets_ahead() const override { return true; }
  const std::vector<std::string>& class_names() const override { return table().vocabulary; }
  std::string sha256() const override { return file_->sha256; }
  Index n_examples(Split split) const override { return count_[static_cast<std::size_t>(split)]; }

  Example example(Split split, Index i) const override {
    const Window w = window(split, i);
    return {w.first, table().size() > 1 ? w.document : w.first, 0, w.length, 1};
  }

  void write(Split split, Index i, const ExampleRows& out) const override {
    const Window w = window(split, i);
    const std::int32_t* tokens = table().tokens.data() + w.first;
    if (out.tokens) std::copy(tokens, tokens + w.length, out.tokens);
    if (out.targets) std::copy(tokens + 1, tokens + 1 + w.length, out.targets);
  }

 private:
  struct Window {
    Index document, first, length;
  };

  const TokenTable& table() const { return file_->table; }

  void add(Split split, Index document, Index first, Index n_tokens) {
    const Index n_targets = n_tokens - 1;
    if (n_targets < 1) return;
    const auto s = static_cast<std::size_t>(split);
    parts_[s].push_back({document, first, n_tokens, count_[s]});
    count_[s] += split == Split::train ? std::max(n_tokens - block_, Index{1})
                                       : (n_targets + block_ - 1) / block_;
  }

  Window window(Split split, Index i) const {
    const std::vector<Part>& parts = parts_[static_cast<std::size_t>(split)];
    const Part& part =
        *std::prev(std::upper_bound(parts.begin(), parts.end(), i, [](Index window, const Part& p) {
          return window < p.first_window;
        }));
    const Index skipped = (i - part.first_window) * (split == Split::train ? 1 : block_);
    return {part.document, part.first + skipped, std::min(block_, part.n_tokens - 1 - skipped)};
  }

  std::shared_ptr<const TokenFile> file_;
  Index block_;
  std::array<std::vector<Part>, 3> parts_;
  std::array<Index, 3> count_ = {0, 0, 0};
};

std::string how_made(const std::optional<std::string>& path) {
  if (path && path->ends_with("tinyshakespeare.h5"))
    return "scripts/fetch_data tinyshakespeare makes it";
  return "attune import --kind tokens TEXT.txt -o FILE.h5 makes one of a text";
}

}  // namespace

void TextOptions::fields(FieldList& f) {
  f.path("file", file, Role::result, "dataset file of tokens, attune.dataset@1");
  f.integer("block", block, {1, 1 << 20}, Role::result, "tokens of a window");
  f.real("val", val, {0, 0.9}, Role::result,
         "share of each text to choose on: its end, before what is tested");
  f.real("test", test, {0, 0.9}, Role::result, "share of each text that is tested: its very end");
  f.rule([this] { return require_name(file); });
  f.rule([this]() -> std::optional<Complaint> {
    if (val + test < 1) return std::nullopt;
    return Complaint{"val",
                     fmt::format("val={} and test={} leave no text to train on", val, test),
                     "their sum must be below 1",
                     {"test"}};
  });
}

std::unique_ptr<Dataset> TextOptions::open(const DataContext&) const {
  auto opened = opened_.open(file, how_made(file), [&] {
    return std::make_shared<const TokenFile>(read_token_file(*file));
  });
  auto text = std::make_unique<Text>(std::move(opened), block, val, test);
  if (text->n_examples(Split::train) == 0)
    throw KeyedDataError({"data.val",
                          fmt::format("no text of {} has two training tokens with data.val={} and "
                                      "data.test={}",
                                      *file, val, test),
                          "Lower them, or take longer texts",
                          {}});
  return text;
}

std::unique_ptr<Dataset> TextOptions::open_other(const std::string& path, Index,
                                                 const TrainedOn& trained) const {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, how_made(path));
  auto other = std::make_shared<TokenFile>(read_token_file(path));
  renumber_tokens(other->table, trained.class_names, path);
  return std::make_unique<Text>(std::move(other), block, 0.0, 1.0);
}

}  // namespace attune
