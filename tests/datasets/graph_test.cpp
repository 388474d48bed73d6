#include "datasets/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "datasets/batch.h"
#include "h5/h5.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

// Three graphs: a path 0-1-2, no edge between 3 and 4, a loop at 5 that also hears itself twice.
struct Content {
  Ids graph_offsets = {0, 3, 5, 6}, indptr = {0, 1, 3, 4, 4, 4, 6}, indices = {1, 0, 2, 1, 5, 5};
  Ids label = {0, 1, 0}, group, split, fold;
  std::vector<double> x = {1, 3, 0, 0, 2, 2, 1, 0, 0, 5, 4, 4};  // [6, 2]
  bool sparse = false;
  std::string task;
  Index width = 2;  // as sparse rows say it

  void write(const std::string& path) const {
    H5File file = H5File::create(path);
    H5Group& root = file.root();
    root.write("graph_offsets", graph_offsets);
    root.write("indptr", indptr);
    root.write("indices", indices);
    root.write("label", label);
    if (!group.empty()) root.write("group", group);
    if (!split.empty()) root.write("split", split);
    if (!fold.empty()) root.write("fold", fold);
    if (!task.empty()) root.set_attribute("task", task);
    if (!sparse) {
      root.write("x", {static_cast<Index>(x.size()) / 2, 2}, x.data());
    } else {
      std::vector<double> data;
      Ids columns, starts = {0};
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] != 0) {
          data.push_back(x[i]);
          columns.push_back(static_cast<std::int32_t>(i % 2));
        }
        if (i % 2 == 1) starts.push_back(static_cast<std::int32_t>(data.size()));
      }
      H5Group rows = root.create_group("x");
      rows.write("data", data);
      rows.write("indices", columns);
      rows.write("indptr", starts);
      rows.set_attribute("shape", std::vector<Index>{static_cast<Index>(x.size()) / 2, width});
    }
    file.close();
  }
};

class GraphTest : public testing::Test {
 protected:
  std::vector<std::string> faults(const Content& content) {
    content.write(folder / "g.h5");
    return dataset_file_faults(folder / "g.h5");
  }
  std::unique_ptr<Dataset> open(const Content& content, std::optional<Index> fold = {},
                                Index seed = 0) {
    content.write(folder / "g.h5");
    options.file = folder / "g.h5";
    GraphOptions fresh = options;  // a file is read once
    return fresh.open({.seed = seed, .fold = fold});
  }
  static Content of_nodes() {
    Content content;
    content.label = {0, 1, 0, 1, 0, 1};
    content.split = {0, 0, 1, -1, 2, 0};
    return content;
  }

  TestFolder folder;
  GraphOptions options;
};

TEST_F(GraphTest, AFileThatIsRightHasNoFaults) {
  for (const bool sparse : {false, true}) {
    Content content;
    content.sparse = sparse;
    EXPECT_THAT(faults(content), IsEmpty());
    Content nodes = of_nodes();
    nodes.sparse = sparse;
    EXPECT_THAT(faults(nodes), IsEmpty());
  }
}

TEST_F(GraphTest, EachFaultIsNamed) {
  const auto only = [&](auto change) {
    Content content;
    change(content);
    const std::vector<std::string> found = faults(content);
    return found.empty() ? "none" : found.front();
  };
  EXPECT_THAT(only([](Content& c) { c.indices[0] = 3; }),
              HasSubstr("/indices[0] is 3 and must be a node of its own graph 0, which has the "
                        "nodes 0 … 2"));
  EXPECT_THAT(only([](Content& c) { c.indices[5] = -1; }), HasSubstr("/indices[5] is -1"));
  EXPECT_THAT(only([](Content& c) { c.indptr = {0, 3, 1, 4, 4, 4, 6}; }),
              HasSubstr("/indptr[2] is 1 and follows 3"));
  EXPECT_THAT(only([](Content& c) { c.indptr.back() = 5; }), HasSubstr("/indptr ends at 5"));
  EXPECT_THAT(only([](Content& c) {
                c.graph_offsets = {1, 6};
              }),
              HasSubstr("/graph_offsets must begin with 0"));
  EXPECT_THAT(only([](Content& c) {
                c.graph_offsets = {0, 3, 5, 7};
              }),
              HasSubstr("/graph_offsets ends at 7, and there are 6 nodes"));
  EXPECT_THAT(only([](Content& c) { c.label = {0, 1}; }), HasSubstr("/label has shape [2]"));
  EXPECT_THAT(only([](Content& c) { c.x.pop_back(), c.x.pop_back(); }), HasSubstr("/x has shape"));
  EXPECT_THAT(only([](Content& c) { c.x[3] = NAN; }), HasSubstr("must be a finite number"));
  EXPECT_THAT(only([](Content& c) { c.split = {0, 3, 2}; }), HasSubstr("/split[1] is 3"));
  EXPECT_THAT(only([](Content& c) { c.fold = {0, -2, 2}; }), HasSubstr("/fold[1] is -2"));
  EXPECT_THAT(only([](Content& c) {
                c.sparse = true;
                c.width = Index{1} << 40;
              }),
              HasSubstr("with 1099511627776 columns, and may have 16777216"));
  EXPECT_THAT(only([](Content& c) { c.task = "edge"; }), HasSubstr("attribute task is 'edge'"));
  EXPECT_THAT(only([](Content& c) {
                c.graph_offsets = {0, 1, 2, 3, 4, 5, 6};
                c.indptr = {0, 0, 0, 0, 0, 0, 0};
                c.indices = {};
                c.label = {0, 1, 0, 1, 0, 1};
              }),
              HasSubstr("as many graphs as nodes"));
}

TEST_F(GraphTest, GraphsWithLabelsAreExamples) {
  options.split.scheme = SplitOptions::Scheme::given;
  Content content;
  content.graph_offsets = {0, 3, 5, 6};
  content.split = {0, 2, 0};
  content.label = {0, 1, 1};
  options.split.val = 0;
  const auto data = open(content);
  EXPECT_FALSE(data->row_targets());
  EXPECT_EQ(data->n_examples(Split::train), 2);
  EXPECT_EQ(data->example(Split::train, 1).id, 2);
  EXPECT_EQ(data->example(Split::train, 1).label, 1);
  EXPECT_EQ(data->example(Split::test, 0).n_tokens(), 2);
  EXPECT_TRUE(data->spec().edges);
}

TEST_F(GraphTest, ABatchHoldsGraphsBehindEachOther) {
  for (const bool sparse : {false, true}) {
    options.split.scheme = SplitOptions::Scheme::given;
    options.split.val = 0;
    Content content;
    content.split = {0, 0, 0};
    content.sparse = sparse;
    const auto data = open(content);
    Batch batch;
    const Index order[] = {2, 0};
    batch.assemble(*data, Split::train, order);
    EXPECT_THAT(batch.rows().offsets, ElementsAre(0, 1, 4));
    EXPECT_THAT(batch.edges().indptr, ElementsAre(0, 2, 3, 5, 6));
    EXPECT_THAT(batch.edges().indices, ElementsAre(0, 0, 2, 1, 3, 2));
    EXPECT_THAT(batch.targets(), ElementsAre(0, 0));
    if (!sparse) {
      EXPECT_THAT(batch.values(), ElementsAre(4, 4, 1, 3, 0, 0, 2, 2));
      EXPECT_FALSE(batch.sparse());
    } else {
      EXPECT_THAT(batch.values(), ElementsAre(4, 4, 1, 3, 2, 2));
      EXPECT_THAT(batch.sparse().indptr, ElementsAre(0, 2, 4, 4, 6));
      EXPECT_THAT(batch.sparse().indices, ElementsAre(0, 1, 0, 1, 0, 1));
    }
  }
}

TEST_F(GraphTest, NodesOfASplitHaveTargetsAndTheWholeGraphIsSeen) {
  options.split.scheme = SplitOptions::Scheme::given;
  const auto data = open(of_nodes());
  ASSERT_TRUE(data->row_targets());
  ASSERT_EQ(data->n_examples(Split::train), 2);  // graphs 0 and 2
  ASSERT_EQ(data->n_examples(Split::val), 1);
  Batch batch;
  const Index both[] = {0, 1}, one[] = {0};
  batch.assemble(*data, Split::train, both);
  EXPECT_THAT(batch.targets(), ElementsAre(0, 1, kNoTarget, 1));
  batch.assemble(*data, Split::val, one);
  EXPECT_THAT(batch.targets(), ElementsAre(kNoTarget, kNoTarget, 0));
  batch.assemble(*data, Split::test, one);
  EXPECT_THAT(batch.targets(), ElementsAre(kNoTarget, 0));
  EXPECT_EQ(batch.n_tokens(), 2);
}

TEST_F(GraphTest, RowsOfFeaturesMayBeDividedByTheirSum) {
  for (const bool sparse : {false, true}) {
    options.normalise = GraphOptions::Normalise::rows;
    options.split.scheme = SplitOptions::Scheme::given;
    options.split.val = 0;
    Content content;
    content.split = {0, 0, 0};
    content.sparse = sparse;
    const auto data = open(content);
    Batch batch;
    const Index first[] = {0};
    batch.assemble(*data, Split::train, first);
    const std::vector<float> values(batch.values().begin(), batch.values().end());
    const std::vector<float> stored = {0.25F, 0.75F, 0.5F, 0.5F},
                             all = {0.25F, 0.75F, 0, 0, 0.5F, 0.5F};
    EXPECT_EQ(values, sparse ? stored : all);
  }
}

// Forty nodes of one graph, of two classes.
Content many_nodes() {
  Content content;
  content.graph_offsets = {0, 40};
  content.indptr.assign(41, 0);
  content.indices = {};
  content.label.clear();
  for (std::int32_t i = 0; i < 40; ++i) content.label.push_back(i % 3 == 0);
  content.x.assign(80, 1);
  return content;
}

TEST_F(GraphTest, RandomSplitsHaveTheSizesAskedForAndFollowTheSeed) {
  options.resplit = ResplitOptions{4, 7, 20, std::nullopt};
  std::set<Ids> splits;
  for (const Index seed : {0, 1, 2, 0}) {
    const auto data = open(many_nodes(), {}, seed);
    EXPECT_TRUE(options.folds().trials.empty());
    Ids all;
    for (const auto& [split, n] : std::vector<std::pair<Split, int>>{
             {Split::train, 8}, {Split::val, 7}, {Split::test, 20}}) {
      Batch batch;
      const Index only[] = {0};
      batch.assemble(*data, split, only);
      std::array<int, 2> by_class = {};
      for (Index i = 0; i < 40; ++i) {
        if (batch.targets()[i] == kNoTarget) continue;
        EXPECT_EQ(batch.targets()[i], i % 3 == 0);
        by_class[static_cast<std::size_t>(batch.targets()[i])] += 1;
        all.push_back(static_cast<std::int32_t>(i));
      }
      EXPECT_EQ(by_class[0] + by_class[1], n);
      EXPECT_TRUE(split != Split::train || (by_class[0] == 4 && by_class[1] == 4));
    }
    EXPECT_EQ(std::set<std::int32_t>(all.begin(), all.end()).size(), 35U);  // in one split each
    splits.insert(all);
  }
  EXPECT_EQ(splits.size(), 3U);
  options.resplit->seed = 5;  // of its own: the run's seed moves nothing
  const auto train_of = [&](Index seed) {
    const auto data = open(many_nodes(), {}, seed);
    Batch batch;
    const Index only[] = {0};
    batch.assemble(*data, Split::train, only);
    return Ids(batch.targets().begin(), batch.targets().end());
  };
  EXPECT_EQ(train_of(1), train_of(2));
}

TEST_F(GraphTest, RandomSplitsThatDoNotFitAreRefused) {
  options.resplit = ResplitOptions{15, 1, 1, std::nullopt};
  EXPECT_THROW(open(many_nodes()), KeyedDataError);
  options.resplit = ResplitOptions{4, 20, 13, std::nullopt};
  EXPECT_THROW(open(many_nodes()), KeyedDataError);
  options.resplit = ResplitOptions{4, 20, 12, std::nullopt};
  EXPECT_NO_THROW(open(many_nodes()));
}

TEST_F(GraphTest, FoldsMayBeThoseOfTheFile) {
  options.split.scheme = SplitOptions::Scheme::kfold;
  options.split.count = 3;
  options.split.val = 0;
  options.folds_of = GraphOptions::Folds::file;
  Content content = many_nodes();
  for (std::int32_t i = 0; i < 40; ++i) content.fold.push_back(i == 7 ? -1 : i / 14);
  for (const Index fold : {0, 1, 2}) {
    const auto data = open(content, fold);
    Batch batch;
    const Index only[] = {0};
    batch.assemble(*data, Split::test, only);
    for (std::int32_t i = 0; i < 40; ++i)
      EXPECT_EQ(batch.targets()[i] != kNoTarget, content.fold[static_cast<std::size_t>(i)] == fold);
    batch.assemble(*data, Split::train, only);
    EXPECT_NE(batch.targets()[7], kNoTarget);
  }
  const auto refusal = [&](const Content& refused) {
    try {
      open(refused, 0);
    } catch (const KeyedDataError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  options.split.count = 4;
  EXPECT_THAT(refusal(content), HasSubstr("count=4, and the file's /fold has 3 folds"));
  options.split.count = 3;
  EXPECT_THAT(refusal(many_nodes()), HasSubstr("has no /fold"));
  for (auto& f : content.fold) f = f == 1 ? 0 : f;
  EXPECT_THAT(refusal(content), HasSubstr("fold 1 of the file's /fold has no example"));
}

// Were it one stream for all folds, those that are validated on in one were so in every other.
TEST_F(GraphTest, FoldsOfTheFileAreValidatedOnNodesOfTheirOwn) {
  options.split.scheme = SplitOptions::Scheme::kfold;
  options.split.count = 4;
  options.folds_of = GraphOptions::Folds::file;
  Content content = many_nodes();
  for (std::int32_t i = 0; i < 40; ++i) content.fold.push_back(i / 10);
  std::set<Ids> drawn;
  for (const Index fold : {0, 1}) {
    const auto data = open(content, fold);
    Batch batch;
    const Index only[] = {0};
    batch.assemble(*data, Split::val, only);
    Ids of_others;  // among the nodes that neither fold tests
    for (std::int32_t i = 20; i < 40; ++i)
      if (batch.targets()[i] != kNoTarget) of_others.push_back(i);
    EXPECT_FALSE(of_others.empty());
    drawn.insert(of_others);
  }
  EXPECT_EQ(drawn.size(), 2U);
}

TEST_F(GraphTest, GroupsAreNotCutBySplitsThatDoNotKnowThem) {
  Content content = many_nodes();
  for (std::int32_t i = 0; i < 40; ++i) {
    content.group.push_back(i / 2);
    content.fold.push_back(i % 2);
  }
  options.resplit = ResplitOptions{4, 7, 20, std::nullopt};
  EXPECT_THROW(open(content), KeyedDataError);
  options.split.by = SplitOptions::By::example;
  EXPECT_NO_THROW(open(content));
  options.resplit.reset();
  options.split.scheme = SplitOptions::Scheme::kfold;
  options.split.count = 2;
  options.folds_of = GraphOptions::Folds::file;
  EXPECT_NO_THROW(open(content, 0));
  options.split.by = SplitOptions::By::group;
  EXPECT_THROW(open(content, 0), KeyedDataError);
}

TEST_F(GraphTest, TheHashIsOfTheContent) {
  options.split.scheme = SplitOptions::Scheme::given;
  const std::string dense = open(of_nodes(), {})->sha256();
  Content other = of_nodes();
  EXPECT_EQ(open(other)->sha256(), dense);
  other.x[0] = 7;
  EXPECT_NE(open(other)->sha256(), dense);
  other = of_nodes();
  std::swap(other.indices[1], other.indices[2]);
  EXPECT_NE(open(other)->sha256(), dense);
}

// Columns that no entry is in, and whose labels they are, change what is learnt.
TEST_F(GraphTest, TheHashIsOfWidthAndTask) {
  Content content = of_nodes();
  content.graph_offsets = {0, 1, 2, 3, 4, 5, 6};
  content.indptr.assign(7, 0);
  content.indices.clear();
  content.sparse = true;
  const auto hash = [&](const char* task, Index width) {
    content.task = task;
    content.width = width;
    content.write(folder / "h.h5");
    return read_graph_file(folder / "h.h5").sha256;
  };
  const std::set<std::string> hashes = {hash("node", 2), hash("graph", 2), hash("node", 3)};
  EXPECT_EQ(hashes.size(), 3U);
}

TEST_F(GraphTest, AnotherFileIsTestedWhole) {
  options.split.scheme = SplitOptions::Scheme::given;
  const auto data = open(of_nodes());
  of_nodes().write(folder / "other.h5");
  const auto other = options.open_other(
      folder / "other.h5", 16, {.class_names = {"1", "0"}, .width = 2, .row_targets = true});
  EXPECT_EQ(other->n_examples(Split::test), 3);
  EXPECT_EQ(other->n_examples(Split::train), 0);
  Batch batch;
  const Index first[] = {0};
  batch.assemble(*other, Split::test, first);
  EXPECT_THAT(batch.targets(), ElementsAre(1, 0, 1));  // by the names of the classes
  for (const TrainedOn& trained :
       {TrainedOn{.class_names = {"1", "0"}, .width = 3, .row_targets = true},
        TrainedOn{.class_names = {"1", "0"}, .width = 2}})
    EXPECT_THROW(options.open_other(folder / "other.h5", 16, trained), DataError);
}

}  // namespace
}  // namespace attune
