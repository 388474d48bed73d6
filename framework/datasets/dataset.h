#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/gray_law.h"
#include "base/shape.h"
#include "datasets/augment.h"
#include "tensor/packed.h"
#include "tensor/view.h"

namespace attune {

enum class Split { train, val, test };
inline constexpr Split kSplits[] = {Split::train, Split::val, Split::test};
std::string_view name_of(Split split);  // "train"

// What is known of an example without touching its rows.
struct Example {
  Index id = 0;              // stable: the same whatever split, seed or pack the example is in
  Index group = 0;           // what is split together and resampled together
  Index label = 0;           // 0 … n_classes − 1; of no meaning where rows have targets
  Index rows = 0, cols = 1;  // grid of patches; a sequence has one column
  Index n_queries = 0;       // where there are queries
  Index n_tokens() const { return rows * cols; }
};

// Where the rows of an example go; null is not asked for.
struct ExampleRows {
  float* values = nullptr;               // [n_tokens, width], of patches and vectors
  std::int32_t* tokens = nullptr;        // [n_tokens]
  std::int32_t* targets = nullptr;       // [n_tokens], where rows have targets; else [n_queries]
  float* query_values = nullptr;         // [n_queries, width of queries]
  std::int32_t* query_tokens = nullptr;  // [n_queries]
};

class Graphs;
class ImageDataset;

// Labelled examples, each a few rows, in three splits. A dataset is fixed once it is open: every
// answer is a function of (options, patch, seed), and all calls are thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual RowSpec::Kind row_kind() const = 0;
  virtual Index width() const { return 0; }       // values a row
  virtual Index vocabulary() const { return 0; }  // of tokens
  virtual bool row_targets() const { return false; }
  virtual bool targets_ahead() const { return false; }  // a row's target stands in the next row
  // Second rows of each example, which are what is answered; all but `longest`.
  virtual std::optional<RowSpec::Queries> queries() const { return std::nullopt; }
  // Names of the tokens' ids, where they come from a file and are not the classes.
  virtual const std::vector<std::string>& token_names() const;
  virtual const std::vector<std::string>& class_names() const = 0;
  Index n_classes() const { return static_cast<Index>(class_names().size()); }

  virtual Index n_examples(Split split) const = 0;
  virtual Example example(Split split, Index i) const = 0;
  virtual void write(Split split, Index i, const ExampleRows& out) const = 0;

  // SHA-256 of the content; of a synthetic dataset, of the options that make it. 64 hex digits.
  virtual std::string sha256() const = 0;

  // Whether each example has a target, not its rows or queries.
  bool one_target() const { return !row_targets() && !queries(); }

  // Null where the examples are no images, no graphs.
  virtual const ImageDataset* images() const { return nullptr; }
  virtual const Graphs* graphs() const { return nullptr; }

  // Rows of a split's examples, queries included, which is what a Packer wants.
  std::vector<Index> lengths(Split split) const;
  // What a model of this data must read and say.
  RowSpec spec() const;
};

struct ImageSize {
  Index height = 0, width = 0;  // pixels
};

// Images as sequences of square patches.
class ImageDataset : public Dataset {
 public:
  virtual Index patch() const = 0;  // side of a patch in pixels; a row has patch² values
  // out [n_tokens, patch²]: patches in raster order, each row-major; zero is middle gray.
  virtual void write_patches(Split split, Index i, float* out) const = 0;

  // By what gray values are normalised, where that was measured on the training split: float32
  // pixels, whose range nobody knows.
  virtual std::optional<GrayLaw> gray() const { return std::nullopt; }
  // What training does to the images of the training split at random.
  virtual AugmentOptions augment() const { return {}; }
  // The image before any resizing: its size, and its gray values as they are stored, out [height,
  // width]. What a baseline sees.
  virtual ImageSize image_size(Split split, Index i) const = 0;
  virtual void read_image(Split split, Index i, View<float> out) const = 0;

  RowSpec::Kind row_kind() const final { return RowSpec::Kind::patches; }
  Index width() const final { return patch() * patch(); }
  const ImageDataset* images() const final { return this; }
  void write(Split split, Index i, const ExampleRows& out) const final {
    if (out.values) write_patches(split, i, out.values);
  }
};

// The nodes of one graph, as views of a whole file's arrays.
struct GraphRows {
  // Node i receives from the nodes indices[indptr[i] − indptr[0] …] − first_node.
  std::span<const std::int32_t> indptr;   // [n_nodes + 1]
  std::span<const std::int32_t> indices;  // [n_edges]
  std::int32_t first_node = 0;
  // Of sparse features alone, likewise: node i has `values` in the columns `columns`.
  std::span<const std::int32_t> x_indptr = {};  // [n_nodes + 1]
  std::span<const std::int32_t> columns = {};   // [n_entries]
  std::span<const float> values = {};           // [n_entries]
};

// What a dataset whose rows are the nodes of graphs knows besides.
class Graphs {
 public:
  virtual GraphRows graph(Split split, Index i) const = 0;

 protected:
  ~Graphs() = default;
};

// Graphs, a node a row; features are vectors, sparse rows or tokens.
class GraphDataset : public Dataset, public Graphs {
 public:
  const Graphs* graphs() const final { return this; }
};

}  // namespace attune
