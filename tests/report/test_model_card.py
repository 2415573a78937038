from genwindow.report import model_card


def test_the_model_card_gives_rates_with_intervals(audited):
    card = model_card(audited)
    assert "5 % [1.64, 11.3]" in card and "| pixels |" in card and "not a proof of privacy" in card
