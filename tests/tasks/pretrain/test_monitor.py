"""What is said of a backbone's features, whatever the method."""

from sightline.tasks.pretrain.monitor import feature_remarks


def test_features_that_point_one_way_are_called_a_collapse():
    (text,) = feature_remarks({"feature_std": 0.01})
    assert "collapse to a point" in text
    assert "0.010 of a random direction's" in text


def test_features_that_spread_are_left_alone():
    assert feature_remarks({"feature_std": 0.9}) == []
    assert feature_remarks({}) == []
