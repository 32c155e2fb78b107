"""A zoo for the doctor: broken networks and data sets, and healthy ones. `specimens` says what one is."""
