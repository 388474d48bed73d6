// An op from outside: files in, files out, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "base/files.h"
#include "base/json.h"
#include "h5/h5.h"
#include "tests/process/process.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class T>
std::vector<T> ramp(Index n) {
  std::vector<T> values;
  for (Index i = 0; i < n; ++i)
    values.push_back(static_cast<T>(std::sin(static_cast<double>(3 * i))));
  return values;
}

class OpVerb : public testing::Test {
 protected:
  template <class Fill>
  std::string file(const std::string& name, Fill&& fill) {
    const std::string path = folder_ / name;
    H5File out = H5File::create(path);
    fill(out.root());
    out.close();
    return path;
  }
  // q, k and v of six rows and two heads, and a gradient of y.
  std::string attention_file(const std::function<void(H5Group&)>& more = {}) {
    return file("in.h5", [&](H5Group& root) {
      for (const char* name : {"q", "k", "v", "grad_y"})
        root.write(name, {6, 8}, ramp<float>(48).data());
      if (more) more(root);
    });
  }
  std::string out() const { return folder_ / "out.h5"; }
  // Runs an op that must be refused: exit 2, nothing written.
  std::string refused(const std::vector<std::string>& words) {
    const Finished run = run_attune(words);
    EXPECT_EQ(run.code, 2) << run.err;
    EXPECT_FALSE(std::filesystem::exists(out()));
    return run.err;
  }
  H5File result(std::vector<std::string> words) {
    words.insert(words.end(), {"-o", out()});
    const Finished run = run_attune(words);
    EXPECT_EQ(run.code, 0) << run.err;
    return H5File::open(out());
  }

  TestFolder folder_;
};

TEST_F(OpVerb, WritesOutputsAndGradientsOfTheType) {
  const H5File single = result({"op", "attention", attention_file(), "n_heads=2"});
  for (const char* name : {"y", "grad_q", "grad_k", "grad_v"}) {
    EXPECT_EQ(single.root().info(name).type, H5Type::float32) << name;
    EXPECT_EQ(single.root().info(name).dims, (Dims{6, 8})) << name;
  }
  EXPECT_EQ(single.root().info("lse").dims, (Dims{6, 2}));
  const std::string in =
      file("d.h5", [](H5Group& root) { root.write("x", {3}, ramp<double>(3).data()); });
  const H5File twice = result({"op", "silu", in});
  EXPECT_EQ(twice.root().info("y").type, H5Type::float64);
  EXPECT_FALSE(twice.root().has("grad_x"));  // no gradient of y was given
}

// silu(1) = 1/(1 + e⁻¹), its slope there σ + σ(1 − σ): to a double's digits in double.
TEST_F(OpVerb, ComputesInDoubleWhatIsGivenInDouble) {
  const std::string in = file("in.h5", [](H5Group& root) {
    root.write<double>("x", {1});
    root.write<double>("grad_y", {2});
  });
  const H5File y = result({"op", "silu", in});
  const double s = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(y.root().read<double>("y")[0], s, 1e-15);
  EXPECT_NEAR(y.root().read<double>("grad_x")[0], 2 * (s + s * (1 - s)), 1e-15);
}

TEST_F(OpVerb, ALossIsAScalarAndSoIsItsGradient) {
  const std::string in = file("in.h5", [](H5Group& root) {
    root.write("logits", {2, 2}, std::vector<float>{0, 0, 0, 0}.data());
    root.write<std::int64_t>("targets", {1, -100});
    root.write_scalar("grad_loss", 3.0F);
  });
  const H5File loss = result({"op", "cross_entropy", in});
  EXPECT_EQ(loss.root().info("loss").dims, Dims{});
  EXPECT_FLOAT_EQ(loss.root().read_scalar<float>("loss"), std::log(2.0F));
  EXPECT_EQ(loss.root().read<float>("grad_logits"), (std::vector<float>{1.5, -1.5, 0, 0}));
}

// Offsets and example ids that stand for what is left out are those that it stands for.
TEST_F(OpVerb, WhatIsLeftOutIsOneSequenceOfExampleZero) {
  const std::vector<std::string> words = {"n_heads=2", "dropout=0.4", "seed=3", "name=a.b"};
  const auto computed = [&](const std::string& in) {
    std::vector<std::string> all = {"op", "attention", in};
    all.insert(all.end(), words.begin(), words.end());
    result(std::move(all));
    return read_file(out());
  };
  const std::string without = computed(attention_file());
  const std::string with = computed(attention_file([](H5Group& root) {
    root.write<std::int32_t>("q_offsets", {0, 6});
    root.write<std::int64_t>("k_offsets", {0, 6});
    root.write<std::int32_t>("example", {0});
  }));
  EXPECT_EQ(without, with);
  EXPECT_NE(
      without,
      computed(attention_file([](H5Group& root) { root.write<std::int32_t>("example", {1}); })));
}

// The row of a dropout mask is an example's, wherever its rows stand in the file.
TEST_F(OpVerb, DropoutCountsTheRowsOfEachExample) {
  const auto masked = [&](const std::vector<std::int32_t>& example) {
    const std::string in = file("in.h5", [&](H5Group& root) {
      const std::vector<float> ones(6 * 40, 1);
      root.write("x", {6, 40}, ones.data());
      root.write("example", example);
    });
    return result({"op", "dropout", in, "p=0.5", "name=a"}).root().read<float>("y");
  };
  const auto a = masked({4, 4, 4, 7, 7, 7}), b = masked({7, 7, 7, 4, 4, 4});
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 120, b.begin() + 120));
  EXPECT_TRUE(std::equal(b.begin(), b.begin() + 120, a.begin() + 120));
  EXPECT_FALSE(std::equal(a.begin(), a.begin() + 120, b.begin()));
}

// The mask that docs/random.md prints for this stream, p 0.3, step 17, example 7, token 2.
TEST_F(OpVerb, DropoutDrawsTheMaskOfTheDocumentedStream) {
  const std::string mask = "1110010110111011001110111101101101000101101010111011101111101111110010";
  const auto columns = static_cast<Index>(mask.size());
  const std::string in = file("in.h5", [&](H5Group& root) {
    const std::vector<float> ones(mask.size(), 1);
    root.write("x", {1, columns}, ones.data());
    root.write<std::int32_t>("example", {7});
    root.write<std::int32_t>("token", {2});
  });
  const auto y = result({"op", "dropout", in, "p=0.3", "seed=0", "name=encoder.block0", "step=17"})
                     .root()
                     .read<float>("y");
  std::string kept;
  for (const float value : y) kept += value == 0 ? '0' : '1';
  EXPECT_EQ(kept, mask);
}

TEST_F(OpVerb, TellsAllThatIsWrongAtOnce) {
  const std::string in = file("in.h5", [](H5Group& root) {
    root.write("q", {6, 8}, ramp<double>(48).data());
    root.write("kk", {6, 8}, ramp<float>(48).data());
    root.write("v", {6, 8}, ramp<float>(48).data());
    root.write<float>("q_offsets", {0, 6});
  });
  const std::string told = refused({"op", "attention", in, "-o", out(), "patern=full", "n_heads=0",
                                    "score=cosin", "dropout.p=0.1"});
  EXPECT_THAT(told, AllOf(HasSubstr("attention takes no 'kk'"),
                          HasSubstr("input 'k' [n_k, n_kv_heads·d_k] of attention is missing"),
                          HasSubstr("'q_offsets' is float32, and must be int32 or int64"),
                          HasSubstr("float32 are v, float64 q")));
  EXPECT_THAT(told, AllOf(HasSubstr("unknown key 'patern'; did you mean 'pattern'?"),
                          HasSubstr("n_heads=0"), HasSubstr("1..4096"), HasSubstr("score=cosin"),
                          HasSubstr("unknown key 'dropout.p'; dropout is a value"),
                          HasSubstr("8 errors, nothing was run.")));
}

TEST_F(OpVerb, NamesTheOpThatWasMeant) {
  EXPECT_THAT(refused({"op", "atention", attention_file(), "-o", out()}),
              HasSubstr("there is no op 'atention'; did you mean 'attention'?"));
  EXPECT_THAT(refused({"op", "attention", attention_file()}), HasSubstr("-o OUT.h5"));
  EXPECT_THAT(refused({"op", "attention", folder_ / "none.h5", "-o", out()}),
              HasSubstr("there is no such file"));
}

TEST_F(OpVerb, RefusesShapesThatDoNotFit) {
  EXPECT_THAT(refused({"op", "attention", attention_file(), "-o", out(), "n_heads=3"}),
              HasSubstr("q has 8 columns, which 3 heads do not divide"));
  const std::string offsets = attention_file([](H5Group& root) {
    root.write<std::int32_t>("q_offsets", {0, 4, 5});
  });
  EXPECT_THAT(refused({"op", "attention", offsets, "-o", out(), "n_heads=2"}),
              HasSubstr("offsets"));
  const std::string gradient = file("in.h5", [](H5Group& root) {
    root.write("x", {2, 3}, ramp<float>(6).data());
    root.write("grad_y", {3, 2}, ramp<float>(6).data());
  });
  EXPECT_THAT(refused({"op", "relu", gradient, "-o", out()}),
              HasSubstr("grad_y is [3, 2], but y is [2, 3]"));
  const std::string ids = file("in.h5", [](H5Group& root) {
    root.write("weight", {2, 3}, ramp<float>(6).data());
    root.write<std::int32_t>("ids", {0, 2});
  });
  EXPECT_THAT(refused({"op", "embedding", ids, "-o", out()}), HasSubstr("ids"));
  const std::string wide = file("in.h5", [](H5Group& root) {
    root.write("x", {1, 1, 1, 1, 2}, ramp<float>(2).data());
  });
  EXPECT_THAT(refused({"op", "relu", wide, "-o", out()}), HasSubstr("'x' has 5 dimensions"));
}

TEST_F(OpVerb, ReplacesWhatAnOpHasWrittenAndNothingElse) {
  const std::vector<std::string> words = {"op", "attention", attention_file(),
                                          "-o", out(),       "n_heads=2"};
  write_atomically(out(), "my notes");
  const Finished kept = run_attune(words);
  EXPECT_EQ(kept.code, 2);
  EXPECT_THAT(kept.err, HasSubstr("is there already"));
  EXPECT_EQ(read_file(out()), "my notes");

  write_atomically(out(), "");
  EXPECT_EQ(run_attune(words).code, 0);
  const std::string first = read_file(out());
  EXPECT_EQ(run_attune({"op", "attention", words[2], "-o", out(), "n_heads=3"}).code, 2);
  EXPECT_EQ(read_file(out()), first);
  EXPECT_EQ(run_attune({"op", "attention", words[2], "-o", out(), "n_heads=4"}).code, 0);
  EXPECT_NE(read_file(out()), first);
}

// An index array that the options have no use for is a mistake, as a parameter is.
TEST_F(OpVerb, RefusesIndexArraysThatNothingReads) {
  const std::string edges = attention_file([](H5Group& root) {
    root.write<std::int32_t>("indptr", {0, 1, 1, 1, 1, 1, 1});
    root.write<std::int32_t>("indices", {0});
  });
  EXPECT_THAT(refused({"op", "attention", edges, "-o", out()}),
              HasSubstr("pattern edges is not asked for, but indptr was given"));
  EXPECT_EQ(run_attune({"op", "attention", edges, "-o", out(), "pattern=edges"}).code, 0);
  std::filesystem::remove(out());
  EXPECT_THAT(refused({"op", "attention", attention_file(), "-o", out(), "pattern=edges"}),
              HasSubstr("pattern edges is asked for, but indptr was not given"));
  EXPECT_THAT(refused({"op", "attention", attention_file(), "-o", out(), "bias=alibi_2d"}),
              HasSubstr("bias alibi_2d is asked for, but q_positions was not given"));
}

TEST_F(OpVerb, HelpIsTheOpsAndNeedsNoFiles) {
  const Finished page = run_attune({"op", "rms_norm", "--help"});
  EXPECT_EQ(page.code, 0);
  EXPECT_THAT(page.out, AllOf(HasSubstr("op rms_norm"), HasSubstr("eps")));
  const Finished verb = run_attune({"op", "--help"});
  EXPECT_EQ(verb.code, 0);
  EXPECT_THAT(verb.out, HasSubstr("NAME IN.h5 -o OUT.h5"));
  const Json json = Json::parse(run_attune({"list", "ops", "--json"}).out, "ops");
  EXPECT_NE(json.list()->front().find("options"), nullptr);
}

}  // namespace
}  // namespace attune
