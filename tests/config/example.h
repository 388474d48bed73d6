#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "config/config.h"

// A root that resembles examples/experiment.yaml, and a folder of files to load it from.
namespace attune::example {

struct Attention {
  std::string score = "scaled_dot";
  double dropout = 0;
  void fields(FieldList& f) {
    f.choice("score", score, {{"scaled_dot", "scaled_dot"}, {"dot", "dot"}, {"cosine", "cosine"}},
             Role::result, "score of a query and a key");
    f.real("dropout", dropout, {0, 0.99}, Role::result, "dropout of the weights");
  }
};

struct Vit {
  Index patch = 16, d_model = 64, n_heads = 4;
  std::optional<double> mlp_ratio = 2.0;
  std::string norm = "pre";
  Attention attention;
  void fields(FieldList& f) {
    f.integer("patch", patch, {1, 64}, Role::result, "side of a patch in pixels");
    f.integer("d_model", d_model, {1, 4096}, Role::result, "width of the residual stream");
    f.integer("n_heads", n_heads, {1, 64}, Role::result, "attention heads");
    f.real("mlp_ratio", mlp_ratio, {0, 16}, Role::result, "hidden units of the MLP over d_model");
    f.choice("norm", norm, {{"pre", "pre"}, {"post", "post"}, {"none", "none"}}, Role::result,
             "place of the norm");
    f.group("attention", attention, "attention");
    f.rule([this]() -> std::optional<Complaint> {
      if (d_model % n_heads == 0) return std::nullopt;
      return Complaint{"n_heads",
                       fmt::format("n_heads={} does not divide d_model={}", n_heads, d_model),
                       "valid values near 6: 4, 8",
                       {"d_model"}};
    });
  }
};

struct Mlp {
  Index width = 128;
  double dropout = 0;
  void fields(FieldList& f) {
    f.integer("width", width, {1, 4096}, Role::result, "hidden units");
    f.real("dropout", dropout, {0, 0.99}, Role::result, "dropout");
  }
};

struct Optim {
  double lr = 1e-3;
  std::vector<double> betas = {0.9, 0.999};
  std::optional<double> clip_norm;
  void fields(FieldList& f) {
    f.real("lr", lr, {1e-8, 1}, Role::result, "learning rate");
    f.reals("betas", betas, {0, 1}, Role::result, "decay of the moments");
    f.real("clip_norm", clip_norm, {0, std::numeric_limits<double>::infinity()}, Role::result,
           "largest gradient norm");
  }
};

struct Stop {
  std::string metric = "val/loss";
  Index patience = 100;
  void fields(FieldList& f) {
    f.text("metric", metric, Role::result, "what to watch");
    f.integer("patience", patience, {1, 1e9}, Role::result, "steps without gain");
  }
};

struct Train {
  Index steps = 500, eval_every = 100;
  bool shuffle = true;
  std::optional<Stop> stop;
  std::optional<std::string> init_from;
  void fields(FieldList& f) {
    f.integer("steps", steps, {0, 1e9}, Role::result, "optimiser steps");
    f.integer("eval_every", eval_every, {1, 1e9}, Role::operation, "steps between evaluations");
    f.boolean("shuffle", shuffle, Role::result, "draw examples in random order");
    f.optional_group("stop", stop, "early stopping");
    f.path("init_from", init_from, Role::result, "a file with /weights");
  }
};

struct Root {
  std::string name, kind = "train";
  std::string doc;
  std::string model_kind;
  Vit vit;
  Mlp mlp;
  Optim optim;
  Train train;
  std::vector<Index> seeds = {0};
  std::vector<std::string> metrics = {"test/accuracy"};
  void fields(FieldList& f) {
    f.text("name", name, Role::operation, "name of the study");
    f.require("name");
    f.text("kind", kind, Role::result, "kind of experiment");
    f.text("doc", doc, Role::operation, "what it asks");
    f.variant("model", model_kind,
              {FieldList::alternative("vit", "vision transformer", vit),
               FieldList::alternative("mlp", "perceptron", mlp)},
              "the model");
    f.group("optim", optim, "optimiser");
    f.group("train", train, "training");
    f.custom(
        "seeds", "[0, 1], 0-9 or n=10",
        [this](const Literal& l) -> std::string {
          std::vector<Index> read;
          for (const std::string& item : l.items) {
            if (item.find_first_not_of("0123456789") != std::string::npos)
              return "must be [0, 1], 0-9 or n=10";
            read.push_back(std::stoll(item));
          }
          if (!l.is_list)
            return "is a bare number, which could be a count or a seed; write [5] or n=5";
          seeds = read;
          return {};
        },
        [this] { return FieldValue(seeds); }, Role::study, "replicates");
    f.texts("metrics", metrics, Role::study, "columns of the tables");
  }
};

// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("attune-config-{}-{}", getpid(), count++);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Files by name; the study is configs/a.yaml.
using Files = std::map<std::string, std::string>;

inline const std::string kHead = "schema: attune/experiment@1\nname: t\n";

// A config loaded and bound, as study does it.
struct Loaded {
  explicit Loaded(const Files& files, std::vector<std::string> overrides = {}) {
    for (const auto& [name, text] : files) folder.write(name, text);
    LoadOptions options{.path = "configs/a.yaml",
                        .overrides = std::move(overrides),
                        .library = "library",
                        .cwd = folder.path(),
                        .text = {}};
    document = compose(options, diagnostics);
    root.fields(fields);
    if (!document.usable) return;
    check_schema(document, diagnostics);
    binding = bind(document, fields, diagnostics);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  std::string error() const { return diagnostics.ok() ? "" : diagnostics.text(); }
  // Where a leaf's value comes from.
  std::string origin(const std::string& key) const {
    const BoundLeaf* leaf = binding.find(key);
    return leaf ? origin_text(*leaf) : "no such leaf";
  }

  Folder folder;
  Diagnostics diagnostics;
  Document document;
  Root root;
  FieldList fields;
  Binding binding;
};

// One file with the head and `body`.
inline Loaded load(const std::string& body, std::vector<std::string> overrides = {}) {
  return Loaded({{"configs/a.yaml", kHead + body}}, std::move(overrides));
}

}  // namespace attune::example
