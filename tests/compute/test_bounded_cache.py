"""Values are kept up to a size in all; those that were read longest ago go first."""

from tessera_gql.compute.bounded_cache import BoundedCache


def test_the_value_that_was_read_longest_ago_is_dropped() -> None:
    cache: BoundedCache[str, str] = BoundedCache(10)
    cache.keep("a", "first", 4)
    cache.keep("b", "second", 4)
    assert cache.find("a") == "first"
    cache.keep("c", "third", 4)
    assert [cache.find(key) for key in "abc"] == ["first", None, "third"]


def test_a_value_beyond_the_whole_size_is_not_kept_and_drops_no_other() -> None:
    cache: BoundedCache[str, str] = BoundedCache(10)
    cache.keep("a", "small", 1)
    cache.keep("b", "large", 10)
    cache.keep("a", "other", 1)
    assert (cache.find("a"), cache.find("b")) == ("small", None)


def test_values_without_a_size_are_bounded_as_well() -> None:
    cache: BoundedCache[int, bool] = BoundedCache(10)
    for number in range(100):
        cache.keep(number, True, 0)
    assert sum(cache.find(number) is not None for number in range(100)) == 10
