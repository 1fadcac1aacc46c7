"""What our server is measured against: the same answers by other means, each as its own documentation teaches."""
